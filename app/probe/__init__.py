"""What Netglass sends by itself, each only when its setting says so: questions to ipinfo, to name servers, and pings."""
