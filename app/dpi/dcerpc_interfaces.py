"""Interfaces of DCE/RPC that are worth a name ([MS-…] documents, each section 1.9: standards assignments)."""

from __future__ import annotations

from typing import Final

INTERFACES: Final[dict[str, str]] = {
    "e1af8308-5d1f-11c9-91a4-08002b14a0fa": "epm",
    "afa8bd80-7d8a-11c9-bef4-08002b102989": "mgmt",
    "12345678-1234-abcd-ef00-01234567cffb": "netlogon",
    "12345778-1234-abcd-ef00-0123456789ab": "lsarpc",
    "12345778-1234-abcd-ef00-0123456789ac": "samr",
    "e3514235-4b06-11d1-ab04-00c04fc2dcd2": "drsuapi",
    "367abb81-9844-35f1-ad32-98f038001003": "svcctl",
    "1ff70682-0a51-30e8-076d-740be8cee98b": "atsvc",
    "86d35949-83c9-4044-b424-db363231fd0c": "taskscheduler",
    "378e52b0-c0a9-11cf-822d-00aa0051e40f": "sasec",
    "338cd001-2244-31f1-aaaa-900038001003": "winreg",
    "4b324fc8-1670-01d3-1278-5a47bf6ee188": "srvsvc",
    "6bffd098-a112-3610-9833-46c3f87e345a": "wkssvc",
    "12345678-1234-abcd-ef00-0123456789ab": "spoolss",
    "76f03f96-cdfd-44fc-a22c-64950a001209": "iremotewinspool",
    "c681d488-d850-11d0-8c52-00c04fd90f7e": "efsrpc",
    "df1941c5-fe89-4e79-bf10-463657acf44d": "efsrpc",
    "4fc742e0-4a10-11cf-8273-00aa004ae673": "netdfs",
    "a8e0653c-2744-4389-a61d-7373df8b2292": "fsrvp",
    "f309ad18-d86a-11d0-a075-00c04fb68820": "wmi",
    "9556dc99-828c-11cf-a37e-00aa003240c7": "wmi",
    "000001a0-0000-0000-c000-000000000046": "isystemactivator",
    "4d9f4ab8-7d1c-11cf-861e-0020af6e7c57": "iremoteactivation",
    "99fcfec4-5260-101b-bbcb-00aa0021347a": "ioxidresolver",
    "3919286a-b10c-11d0-9ba8-00c04fd92ef5": "dssetup",
    "91ae6020-9e3c-11cf-8d7c-00aa00c091be": "icertpassage",
    "894de0c0-0d55-11d3-a322-00c04fa321a1": "initshutdown",
    "82273fdc-e32a-18c3-3f78-827929dc23ea": "eventlog",
    "50abc2a4-574d-40b3-9d66-ee4fd5fba076": "dnsserver",
    "5ca4a760-ebb1-11cf-8611-00a0245420ed": "winstation",
    "8d9f4e40-a03d-11ce-8f69-08003e30051b": "pnp",
    "5a7b91f8-ff00-11d0-a9b2-00c04fb6e6fc": "messenger",
    "3dde7c30-165d-11d1-ab8f-00805f14db40": "backupkey",
}


def interface_name(uuid: str) -> str:
    """A short name, else the UUID itself."""
    return INTERFACES.get(uuid, uuid)
