"""What attacks on web applications look like in a decoded request. Each pattern is one that ordinary requests do not contain."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from app.model.alert import Severity

# What a text must hold at all for the costlier patterns to be tried: one of these. A test compares with and without.
_HINTS: Final[dict[str, tuple[bytes, ...]]] = {
    "Struts OGNL injection": (b"{", b"#", b"@ognl"),
    "SQL injection": (
        b"'",
        b'"',
        b"`",
        b"(",
        b";",
        b"union",
        b"select",
        b" or ",
        b" and ",
        b"order",
        b"into",
        b"waitfor",
        b"/*!",
    ),
    "NoSQL injection": (b"$",),
    "Cross-site scripting": (
        b"<",
        b"javascript:",
        b"onerror",
        b"onload",
        b"onmouse",
        b"onfocus",
        b"onclick",
        b"ontoggle",
        b"onpointer",
        b"document.",
        b"string.",
        b"data:text",
        b"vbscript:",
        b"alert",
        b"prompt",
        b"confirm",
    ),
    "Path traversal": (b"..", b"%", b"etc/", b"etc\\", b"proc", b"windows", b"winnt", b"boot.ini", b"web-inf"),
    "Remote or local file inclusion": (b"://", b"auto_prepend", b"allow_url"),
    "Command injection": (b" ", b"&&", b";", b"|", b"`", b"$", b"\n", b"/dev/", b"/bin/", b"cd"),
    "PHP code injection": (
        b"<?",
        b"eval",
        b"assert",
        b"system",
        b"passthru",
        b"exec",
        b"popen",
        b"proc_open",
        b"base64_",
        b"call_user",
        b"create_func",
        b"file_put",
        b"phpinfo",
        b"preg_repl",
        b"invokefunction",
        b"$_",
        b"die(",
        b"@ini",
    ),
    "Spring4Shell": (b"class.module",),
    "Spring expression injection": (b"java.lang", b"routing-expr"),
    "Template injection": (b"{", b"<%", b"__", b"freemarker"),
    "Java deserialization": (
        b"\xac\xed",
        b"ro0ab",
        b"aced0005",
        b"ysoserial",
        b"functors",
        b"xmldecoder",
        b"processbuilder",
    ),
    "Web shell": (
        b".php",
        b".asp",
        b".jsp",
        b".cfm",
        b"cmd=",
        b"exec",
        b"command=",
        b"shell=",
        b"run=",
        b"z0=",
        b"response.w",
    ),
    "Header injection": (b"\n",),
}

# (name of the attack, severity, where: u target, b body, h other header fields, pattern over lower-case decoded bytes)
Pattern = tuple[str, Severity, str, re.Pattern[bytes]]


def _p(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


PATTERNS: Final[tuple[Pattern, ...]] = (
    ("log4shell (JNDI lookup)", "critical", "ubh", _p(rb"\$\{\s{0,8}(?:jndi\s{0,8}:|[^}]{0,200}\$\{[^}]{0,60}:-[jndi]\}?|(?:lower|upper|env|sys|java|ctx|date|::-)[^}]{0,80}\}.{0,200}(?:ldap|rmi|dns|iiop|jndi))|\$\{jndi|\$\{\s{0,4}\$\{(?:lower|upper|env|sys|java|date|ctx|::-)[:-]?")),
    ("Shellshock", "critical", "ubh", _p(rb"\(\s{0,4}\)\s{0,4}\{\s{0,4}(?::|_|[^}]{0,20};?)\s{0,4};?\s{0,4}\}\s{0,4};|\(\)\s?\{\s?_;\s?\}\s?>_")),
    ("Struts OGNL injection", "critical", "ubh", _p(rb"(?:%|\$|#)\{[^}]{0,400}(?:#_memberaccess|#context|@java\.lang\.|multipart/form-data.{0,20}#|new java\.lang\.processbuilder|ognl\.)|#_memberaccess|\(#cmd=|@ognl\.")),
    ("Spring4Shell", "critical", "ub", _p(rb"class\.module\.classloader")),
    ("Spring expression injection", "critical", "ubh", _p(rb"t\(java\.lang\.(?:runtime|processbuilder)\)|spring\.cloud\.function\.routing-expression|t\(java\.lang\.string\)")),
    ("SQL injection", "high", "ub", _p(
        rb"\bunion\b(?:[\s+/*()]|all|distinct|%0[9a-d]){1,20}select\b|\bselect\b[^&=]{1,200}\bfrom\b\s{1,8}(?:information_schema|mysql\.|sys(?:objects|columns|databases|\.)|pg_|dual\b|all_tables|users?\b|master\.\.)|"
        rb"['\"`)]\s{0,8}(?:or|and|\|\||&&)\s{1,8}(?:not\s{1,4})?['\"(]?[\w.]{1,20}['\")]?\s{0,4}(?:=|<|>|like|in\b|between|regexp)\s{0,4}['\"(]?[\w.]{0,20}|"
        rb"\b(?:or|and)\s{1,8}(?:\d{1,6}\s{0,4}=\s{0,4}\d{1,6}|'[^']{0,12}'\s{0,3}=\s{0,3}'|true\b|sleep\()|"
        rb"\b(?:sleep|benchmark|pg_sleep|waitfor\s{1,4}delay|extractvalue|updatexml|load_file|xp_cmdshell|dbms_pipe\.receive_message|utl_http|group_concat|char|concat_ws|ascii|substring|mid)\s{0,4}\(.{0,80}(?:select\b|0x[0-9a-f]{2}|@@version|user\(|database\(|,\s?\d{1,8}\)\s{0,3}(?:--|#|and|or))|"
        rb"waitfor\s{1,4}delay\s{1,4}['\"]|\border\s{1,4}by\s{1,4}\d{1,3}\s{0,4}(?:--|#|/\*)|;\s{0,8}(?:drop|alter|truncate|delete\s{1,8}from|insert\s{1,8}into|update|exec(?:ute)?|shutdown|declare)\s{1,8}(?:table|database|@?[\w\[])|"
        rb"into\s{1,4}(?:out|dump)file\b|['\"]\s{0,4};?\s{0,4}(?:--|#)(?:\s|$|&|\+|-)|\bsleep\(\d{1,4}\)|/\*!\d{5}")),
    ("NoSQL injection", "medium", "ub", _p(rb"\[\$(?:ne|gt|lt|regex|where|in|nin|exists)\]\s{0,3}=|\{\s{0,3}\"\$(?:ne|gt|where|regex)\"\s{0,3}:")),
    ("Cross-site scripting", "high", "ubh", _p(
        rb"<\s{0,4}script[\s>/]|<\s{0,4}/\s{0,4}script|javascript:\s{0,8}(?:alert|prompt|confirm|document|window|eval|fetch|/\*|%|//)|<\s{0,4}(?:img|svg|body|iframe|video|audio|input|details|object|embed|marquee|math|link|meta|style|form|isindex|a)\b[^>]{0,200}?[\s/\"']on[a-z]{3,20}\s{0,4}=|"
        rb"\bon(?:error|load|mouseover|focus|click|toggle|pointerenter)\s{0,3}=\s{0,3}[\"'(`]?\s{0,3}(?:alert|prompt|confirm|eval|fetch|document|window|javascript|top\[|self\[|this)|<\s{0,4}iframe[^>]{0,100}src|"
        rb"(?:alert|prompt|confirm)\s{0,3}[(`](?:document\.(?:cookie|domain)|1|\d{1,6}|['\"`/]xss)|document\.cookie|string\.fromcharcode\(|<svg[/\s]|data:text/html[;,]|vbscript:")),
    ("Path traversal", "high", "ub", _p(rb"(?:\.\.|\.%2e|%2e\.|%c0%ae|%uff0e|\.\.;)[/\\]{1,3}(?:\.\.;?[/\\]{1,3}){1,}|(?:\.\.[/\\]|file://|[/\\=:])(?:etc[/\\](?:passwd|shadow|hosts\b|group\b)|proc[/\\]self[/\\]|windows[/\\](?:win\.ini|system32|system\.ini)|winnt[/\\]|boot\.ini|web-inf[/\\]web\.xml)|/\.\.%5c|\.\.%255c|/\.%2e/|%%32%65|\.\.%c1%9c|\.\.%c0%af|/etc/passwd|boot\.ini\b")),
    ("Remote or local file inclusion", "high", "u", _p(rb"=(?:php://(?:input|filter)|data://text/plain|expect://|zip://|phar://|glob://)|[?&](?:page|file|path|include|inc|dir|template|module|document|pg|p|view|content|conf|config|root|mosconfig_absolute_path|basepath|phpbb_root_path|absolute_path)=\s?(?:https?|ftp)://[^&]{4,}|auto_prepend_file|allow_url_include")),
    ("Command injection", "critical", "ubh", _p(
        rb"(?:[;|&`\n]|\$\(|%0a|\|\||&&|^|=)\s{0,8}(?:/(?:usr/)?(?:s?bin)/)?(?:cat|wget|curl|nc|ncat|netcat|bash|sh|zsh|ping|nslookup|id|whoami|uname|ifconfig|ipconfig|net\s(?:user|view|group)|systeminfo|tasklist|chmod|tftp|busybox|python[23]?|perl|ruby|php|powershell|cmd(?:\.exe)?|certutil|ls|rm|echo|touch|sleep|dir|type|ps|kill|reboot|telnetd|lua|awk|sed|find|printenv|env)\s{1,4}(?:-{1,2}[a-z]|/[a-z]|https?:|[\w./~$'\"\\&>-])[^&]{0,200}(?:[;|&`)]|/etc/|/tmp|/dev/|/bin/|https?://|passwd|\|\s{0,2}sh|>\s{0,2}[/\w]|-e\s|-c\s|\.(?:sh|exe|php|ps1)|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})|"
        rb"[;|`]\s{0,4}(?:id|whoami|uname(?:\s-a)?|ls(?:\s-la?)?|ifconfig|pwd|cat\s[/\w.]{1,80}|ps(?:\saux?)?|w|dir|ipconfig|hostname|env|net\suser)\s{0,4}(?:[;|`&#]|$|\s|\))|"
        rb"(?:\$\(|&&)\s{0,4}(?:whoami|uname(?:\s-a)?|ifconfig|ipconfig|cat\s{1,4}/[/\w.]{1,80})\s{0,4}(?:[;|`&#)]|$)|"
        rb"cd\s{0,4}\+?/tmp|/dev/tcp/|wget\s{1,4}(?:-[a-z]{1,4}\s)?https?://|curl\s{1,4}(?:-[a-z]{1,6}\s){0,4}https?://|/bin/(?:ba|da|c|z)?sh\b|\$\{ifs\}|\$ifs|busybox\s|cmd\.exe\s{0,4}/c|powershell(?:\.exe)?\s{1,4}-(?:e|nop|w|c|exec)|certutil\s{1,4}-url|nc\s{1,4}-(?:e|l|nv)|mkfifo\s|/cgi-bin/.{0,80}/bin/sh|`(?:cd|wget|curl|id|ls|nc|sh)\b")),
    ("PHP code injection", "critical", "ubh", _p(rb"<\?(?:php|=)|\b(?:eval|assert|system|passthru|shell_exec|exec|popen|proc_open|base64_decode|call_user_func(?:_array)?|create_function|file_put_contents|phpinfo|preg_replace)\s{0,3}\(\s{0,3}(?:\$_|['\"]|base64_|\$\{|chr\(|gzinflate|str_rot13|\))|invokefunction&function=|\binvokefunction\b|\$_(?:get|post|request|cookie)\[|die\(@?md5\(|@ini_set")),
    ("Template injection", "high", "ubh", _p(rb"\{\{\s{0,4}(?:\d{1,9}\s{0,2}[*+]\s{0,2}\d{1,9}|['\"(\[]|config\b|self\b|request\b|lipsum|cycler|joiner|namespace|constructor|''\.__|_self\.|\$on\b|range\b)|\{%\s{0,4}(?:for|if|set|import|include)\b.{0,200}%\}|\$\{\s{0,4}\d{1,9}\s{0,2}\*\s{0,2}\d{1,9}\s{0,4}\}|#\{\s{0,3}\d{1,9}\s{0,2}\*\s{0,2}\d{1,9}\s{0,3}\}|<%=\s{0,4}(?:\d|system|file|`|7\*7)|__(?:class|globals|mro|subclasses|builtins|import)__|freemarker\.template\.utility|\*\{.{0,80}t\(java")),
    ("XML external entity", "high", "ub", _p(rb"<!entity\s{1,8}(?:%\s{1,4})?[\w-]{1,40}\s{1,8}(?:system|public)\s{1,8}[\"']|<!doctype[^>]{1,200}\[\s{0,8}<!entity")),
    ("Server-side request forgery", "medium", "ub", _p(rb"=(?:https?://)(?:169\.254\.169\.254|metadata\.google\.internal|127\.0\.0\.1|localhost|\[::1\]|0x7f|2130706433)[:/]|=(?:gopher|dict|ldap|jar|netdoc)://|/latest/meta-data")),
    ("Java deserialization", "critical", "b", _p(rb"\xac\xed\x00\x05|ro0ab[xhn]|aced0005737200|ysoserial|commons\.collections\.functors|<java\s{1,4}version=.{0,200}xmldecoder|<void\s{1,4}class=\"java\.lang\.processbuilder|java\.lang\.processbuilder")),
    ("Web shell", "high", "u", _p(rb"/(?:c99|r57|wso|b374k|shell|cmd|webshell|alfa|indoxploit|mini|c100|antichat|aspxspy|cmdasp|chopper|simple-backdoor|php-backdoor|up|wp-ls)\.(?:php[3-7]?|asp|aspx|jsp|jspx|cfm)\b.{0,200}(?:cmd|act|exec|c|command|x|pass|dir|file)=|[?&](?:cmd|exec|command|execute|shell|run)=(?:cat|ls|id|whoami|dir|net|ipconfig|uname|wget|curl|type|echo|ping|pwd|ps)\b|[?&]z0=|response\.write\(")),
    ("Exploit of a known weakness", "high", "u", _p(
        rb"/vendor/phpunit/phpunit/.{0,20}eval-stdin\.php|/autodiscover/autodiscover\.json.{0,80}(?:@|powershell|mapi)|/owa/auth/x\.js|/ecp/[a-z0-9]{1,12}\.js|/remote/fgt_lang\?lang=/|/dana-na/.{0,80}\.\.|/tmui/login\.jsp/\.\.;|/mgmt/tm/util/bash|/vpns?/(?:portal/|\.\./)|/wls-wsat/|/_async/asyncresponseservice|/console/(?:css|images)/%252e|"
        rb"/solr/[^/]{1,40}/(?:config|dataimport|select.{0,40}velocity)|/actuator/(?:gateway/routes|env|heapdump|jolokia)|/jolokia/|/hudson|/script(?:text)?\?|/descriptorbyname/|/gponform/diag_form|/hnap1|/setup\.cgi\?next_file|/boaform/admin/formlogin|/board\.cgi\?cmd|/cgi-bin/(?:luci/;stok|nobody/|supervisor/cloudsetup|kerbynet|viewcert|test-cgi|php\?|;)|"
        rb"/shell\?|/picsdesc\.xml|/ctrlt/deviceupgrade|/wanipcn\.xml|/ud/\?|/language/swedish|/_ignition/execute-solution|element_parents=account/mail/|/index\.php\?s=/?(?:index/|captcha)|/\?-[ds]\+|/default\.ida\?|/scripts/(?:root\.exe|\.\.)|/msadc/|/_vti_bin/\.\.|/null\.ida|/nsiislog\.dll|/\.env(?:\b|$)|/\.git/(?:config|head)|/\.aws/credentials|/wp-config\.php|/phpmyadmin/(?:scripts/setup|index).{0,40}eval|/w00tw00t|/webdav/.{0,20}\.(?:php|asp)|"
        rb"/web-console/serverinfo|/jmx-console/|/invoker/(?:jmx|ejb)invokerservlet|/seeyon/|/weaver/|/goanywhere/|/moveitisapi|/guestaccess\.aspx|/human2\.aspx|/api/v1/totp/user-backup-code/\.\.|/setup/setupadministrator|/pages/(?:createpage-entervariables|doenterpagevariables)|/%24%7b|/soap/.{0,30}\.jsp|/cgi-bin/\.(?:%2e|%%32|\.)|/icons/\.%2e|/servlet/\$\$|/struts2?-|/fckeditor/.{0,60}upload|/uploadify|/elfinder/.{0,80}cmd=|/admin/config\.php\?|/stssys\.htm|/currentsetting\.htm|/sdk\b.{0,10}vimservice|/nmaplowercheck|/evox/about|/nice%20ports|/trinity\.txt")),
    ("Server-side include or LDAP injection", "high", "ub", _p(rb"<!--#(?:exec|include|echo|config)\b|\)\(\|\(|\*\)\(uid=\*|\)\(&\(|\*\)\)\(\|")),
    ("Header injection", "medium", "u", _p(rb"(?:\r\n|\n)\s{0,2}(?:set-cookie|location|content-(?:type|length)|http/1\.[01])\s{0,3}[: ]")),
)  # fmt: skip
_ALSO_ENCODED: Final = frozenset(
    ("Path traversal", "Exploit of a known weakness")
)  # written in percent-encoding itself
MOST_BYTES: Final = 4096  # looked at of each part
_IIS_UNICODE: Final = re.compile(rb"%u00([0-9a-f]{2})", re.IGNORECASE)
_COMMENT: Final = re.compile(rb"/\*[^*!]{0,40}\*/")


def decoded(raw: bytes) -> bytes:
    """As an application may see it: plus signs, percent-encoding (twice), %uXXXX, HTML entities; lower case."""
    text = raw[:MOST_BYTES].replace(b"+", b" ")
    for _ in range(3):
        if b"%" not in text:
            break
        text = _IIS_UNICODE.sub(lambda found: bytes([int(found[1], 16)]), text)
        again = unquote_to_bytes(text)
        if again == text:
            break
        text = again.replace(b"+", b" ")
    if b"&#" in text or b"&lt" in text.lower():
        text = html.unescape(text.decode("latin-1")).encode("latin-1", "replace")
    return text.lower()


def attacks(target: bytes, body: bytes, headers: bytes) -> list[tuple[str, Severity, str]]:
    """(attack, severity, where) for each pattern that is found, at most one per attack: in the address, else in the body, else in a header field."""
    found: dict[int, str] = {}
    for place, where, text in (("u", "the address", target), ("b", "the body", body), ("h", "a header field", headers)):
        if text or place == "u":
            looked = _remembered if len(text) <= _REMEMBERED_BYTES else _found
            for index in looked(place, text):
                found.setdefault(index, where)
    return [(PATTERNS[index][0], PATTERNS[index][1], found[index]) for index in sorted(found)]


def _found(place: str, text: bytes) -> tuple[int, ...]:
    """Numbers of the patterns that are found in the text of one place, as it was sent."""
    raw = text[:MOST_BYTES].lower()
    plain = raw if place == "h" and b"%" not in text else decoded(text)
    versions = [plain]
    if place == "u" and b"/*" in plain and (uncommented := _COMMENT.sub(b" ", plain)) != plain:
        versions.append(uncommented)
    encoded = [*versions, raw] if place == "u" and raw != plain else versions
    found = []
    for index, in_encoded, hints, search in _BY_PLACE[place]:
        for version in encoded if in_encoded else versions:
            for hint in hints:
                if hint in version:
                    break
            else:
                continue
            if search(version):
                found.append(index)
                break
    return tuple(found)


# The same addresses and header fields come again and again.
_REMEMBERED_BYTES: Final = 1024
_remembered = lru_cache(maxsize=4096)(_found)
# By place: number of the pattern, whether it is also looked for in what is still encoded, what a text must hold (the empty one is in each), the pattern
_BY_PLACE: Final = {
    place: tuple(
        (index, name in _ALSO_ENCODED, _HINTS.get(name, (b"",)), pattern.search)
        for index, (name, _, places, pattern) in enumerate(PATTERNS)
        if place in places
    )
    for place in "ubh"
}
