"""Settings: what is read, what is refused and in which words, what children get."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import SETTINGS, Settings, SettingsError

PROJECT = Path(__file__).resolve().parents[1]


def read(**env):
    return Settings.from_environment(env)


def test_defaults():
    settings = read()
    assert settings == Settings()
    assert (settings.host, settings.port, settings.interface, settings.snaplen) == ("127.0.0.1", 8080, (), 0)
    assert settings.data_dir == PROJECT / "data"
    assert settings.export_dir == PROJECT / "exports"
    assert settings.autostart
    assert not settings.resolve_hostnames
    assert not settings.measure_latency
    assert settings.ipinfo_token is None
    assert settings.auth_token is None


@pytest.mark.parametrize(
    ("env", "name", "value"),
    [
        ({"HOST": "::1"}, "host", "::1"),
        ({"HOST": "[::1]"}, "host", "::1"),
        ({"PORT": "0"}, "port", 0),
        ({"PORT": " 9000 "}, "port", 9000),
        ({"INTERFACE": "auto"}, "interface", ()),
        ({"INTERFACE": "eth0, wlan0,eth0"}, "interface", ("eth0", "wlan0")),
        ({"INTERFACE": "any"}, "interface", ("any",)),
        ({"AUTOSTART": "off"}, "autostart", False),
        ({"RESOLVE_HOSTNAMES": "Yes"}, "resolve_hostnames", True),
        ({"ENTROPY_REFRESH": "0.5"}, "entropy_refresh", 0.5),
        ({"LOG_LEVEL": "debug"}, "log_level", "DEBUG"),
        ({"ALLOWED_HOSTS": "Monitor.lan,10.0.0.1"}, "allowed_hosts", ("monitor.lan", "10.0.0.1")),
        ({"PORT": ""}, "port", 8080),
        ({"BPF_FILTER": "tcp port 80"}, "bpf_filter", "tcp port 80"),
        ({"DATA_DIR": "/var/lib/netglass"}, "data_dir", Path("/var/lib/netglass")),
    ],
)
def test_values(env, name, value):
    assert getattr(read(**env), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "80a"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "１"),
        ("HOST", "no such host!"),
        ("INTERFACE", "any,eth0"),
        ("INTERFACE", "eth0,,"),
        ("INTERFACE", "../etc"),
        ("AUTOSTART", "maybe"),
        ("SNAPLEN", "-5"),
        ("ENTROPY_REFRESH", "nan"),
        ("ALERT_THRESHOLD_RATIO", "1.5"),
        ("LOG_LEVEL", "LOUD"),
        ("CAPTURE_BACKEND", "bpf"),
        ("PCAP", "/no/such/file"),
        ("BPF_FILTER", "tcp\nport 80"),
        ("DATA_DIR", "/etc/passwd"),
        ("RUN_AS", "-x"),
        ("ASYNC_MODE", "gevent"),
    ],
)
def test_refused_with_name_value_and_what_is_allowed(name, value):
    row = next(setting for setting in SETTINGS if setting.env == name)
    with pytest.raises(SettingsError) as caught:
        read(**{name: value})
    assert str(caught.value) == f"{name}={value!r} is not allowed; allowed: {row.allowed}"


@pytest.mark.parametrize("name", ["AUTH_TOKEN", "IPINFO_TOKEN"])
def test_secrets_are_shown_nowhere(name):
    with pytest.raises(SettingsError) as caught:
        read(**{name: "two words"})
    assert "two words" not in str(caught.value)
    settings = read(**{name: "hush-hush"})
    assert "hush-hush" not in repr(settings)
    assert "hush-hush" not in str(settings.environment())


def test_children_read_the_same_values(tmp_path):
    settings = read(
        RING_MB="8", DATA_DIR=str(tmp_path / "a b"), MAX_FLOWS="5000", LOG_LEVEL="ERROR", EXPORT_UNMASKED="1"
    )
    child = Settings.from_environment(settings.environment())
    for row in SETTINGS:
        expected = getattr(settings, row.name) if row.child else row.default
        assert getattr(child, row.name) == expected, row.name


@given(st.sampled_from(SETTINGS), st.text(max_size=60))
def test_any_text_is_taken_or_refused(row, text):
    refusal = f"{row.env}="
    try:
        read(**{row.env: text})
    except SettingsError as error:
        refusal = str(error)
    assert refusal.startswith(f"{row.env}=")


def test_each_setting_says_what_it_is():
    for row in SETTINGS:
        assert row.help
        assert row.allowed
        assert row.name == row.env.lower()


def test_imports_nothing_of_the_program():
    tree = ast.parse((PROJECT / "config.py").read_text())
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert not [name for name in modules if name.split(".")[0] == "app"]
