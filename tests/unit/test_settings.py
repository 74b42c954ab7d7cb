"""The settings: every problem is told at once, with key, value and fix; children read them without
pydantic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.settings import MAX_SOCKET_PATH, Settings, from_json, make_run_dir, run_dir_of
from gateway.settings_load import SettingsError, find_config, load_settings
from gateway.settings_show import masked, shown

EXAMPLE = Path("config/example/callgate.toml")
TLS = "[[listener]]\nname = 'a'\naddress = '::1'\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "callgate.toml"
    path.write_text(text)
    return path


def problems(path: Path, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environ or {})
    assert str(path) in str(caught.value)
    return caught.value.problems


def test_the_example_is_the_contract_of_the_example_deployment() -> None:
    settings = load_settings(EXAMPLE, {})
    assert [(listener.address, listener.port, listener.transport) for listener in settings.listener] == [
        ("127.0.0.1", 5060, "udp"),
        ("127.0.0.1", 5060, "tcp"),
        ("127.0.0.1", 5061, "tls"),
    ]
    assert (settings.http.address, settings.http.port) == ("127.0.0.1", 8080)
    assert settings.state_dir == Path.cwd() / "var"
    assert settings.redis.url == settings.database.url == ""
    assert settings.gate.deadline_ms == 50


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, ""), {})
    assert settings.timers.t1_ms == 500
    assert settings.timers.timer_c_s == 180
    assert settings.journal.sync == "interval"
    assert settings.keys_file == settings.state_dir / "keys.json"


def test_a_child_gets_the_same_settings(tmp_path: Path) -> None:
    settings = load_settings(EXAMPLE, {"CALLGATE_NODE__STATE_DIR": str(tmp_path)})
    assert from_json(settings.to_json()) == settings


def test_no_pydantic_in_a_worker() -> None:
    code = "import sys, gateway.settings, gateway.child, gateway.telemetry.metrics as m;"
    code += "heavy = {'pydantic', 'sqlalchemy', 'fastapi', 'typer', 'alembic', 'prometheus_client'};"
    code += "sys.exit(' '.join(heavy & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_environment_wins(tmp_path: Path) -> None:
    path = write(tmp_path, "[gate]\ndeadline_ms = 20\n[journal]\nsync = 'always'\n")
    environ = {
        "CALLGATE_GATE__DEADLINE_MS": "80",
        "CALLGATE_JOURNAL__REQUIRED": "false",
        "CALLGATE_LISTENER": '[{"name": "a", "address": "127.0.0.1", "port": 5070}]',
        "CALLGATE_CONFIG": "elsewhere.toml",
        "PATH": "/bin",
    }
    settings = load_settings(path, environ)
    assert settings.gate.deadline_ms == 80
    assert settings.journal.sync == "always"
    assert settings.journal.required is False
    assert [item.port for item in settings.listener] == [5070]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[gate]\ndeadline_ms = 0", "gate.deadline_ms = 0: should be greater than or equal to 1; fix: set it to "),
        ("[gate]\ndeadline_ms = 'soon'", "gate.deadline_ms = 'soon': should be a valid integer"),
        ("[gate]\ndedline_ms = 5", "gate.dedline_ms = 5: no such setting; fix: remove it or write deadline_ms"),
        ("[gates]\nx = 1", "gates = {'x': 1}: no such setting; fix: remove it or write gate"),
        ("[journal]\nsync = 'never'", "journal.sync = 'never': should be 'interval' or 'always'; fix: "),
        ("[[listener]]\nname = 'a'", "listener[1].address: missing; fix: set it to an IP address"),
        (
            "[[listener]]\nname = 'a'\naddress = 'localhost'",
            "listener[1].address = 'localhost': not an IP address; fix: give one such as 127.0.0.1 or ::1",
        ),
        ("[[listener]]\nname = 'a'\naddress = '::1'\ntransport = 'sctp'", "listener[1].transport = 'sctp': "),
        (TLS + "transport = 'tcp'\nkey = 'k'", "listener[1].key: only a TLS listener has it; fix: remove it, or set "),
        (TLS + "transport = 'tls'\nkey = 'k'", "listener[1].certificate and .key belong together; fix: give both"),
        (TLS + "transport = 'tls'\nmutual = true", "listener[1].mutual = true: whoever has any public certificate"),
        (TLS + "transport = 'tls'\nauthorities = 'none.pem'", "listener[1].authorities = 'none.pem': no such file"),
        (TLS + "transport = 'tcp'\n[node]\nworkers = 2", "listener[1].transport = 'tcp': with node.workers = 2"),
        ("[streams]\nper_source = 0", "streams.per_source = 0: should be greater than or equal to 1; fix: set it to "),
        ("listener = []", "listener = []: nothing would be received; fix: add a [[listener]]"),
        ("[redis]\nurl = 'http://u:secret@h'", "redis.url = 'http://…': unknown scheme; fix: begin it with "),
        ("[redis]\nurl = 'redis+cluster://h:p'", "redis.url: node 'h:p'; fix: write host:port, with commas"),
        ("[redis]\nurl = 'redis+cluster://h/1'", "redis.url: database '1': a cluster has only database 0; fix: "),
        ("[redis]\nurl = 'redis+sentinel://u:secret@h'", "redis.url: service missing; fix: end it with /mymaster"),
        ("[redis]\nurl = 'rediss://h?ca=none.pem'", "redis.url: ca 'none.pem': No such file or directory; fix: "),
        ("[timers]\nt2_ms = 100", "timers.t2_ms = 100: less than timers.t1_ms; fix: give 500 or more"),
        ("[timers]\ncookie_hours = 1", "timers.cookie_hours = 1.0: less than timers.max_call_hours"),
        ("[example]\ndirectory = 'nowhere'", "example.directory = 'nowhere': no such directory; fix: "),
        ("[probing]\ninterval_s = 5", "probing = {'interval_s': 5}: no such setting; fix: remove it"),
        ("[probe]\ntimeout_ms = 2000", "probe.timeout_ms = 2000: not below probe.interval_ms"),
        ("[dns]\nnameservers = ['ns']", "dns.nameservers[1] = 'ns': not an IP address"),
        ("[overload]\ndelay_ms = 80", "overload.max_delay_ms = 40: less than overload.delay_ms; fix: give 80"),
        ("[node]\nworkers = 65", "node.workers = 65"),
        ("[node]\nname = 'a/b'", "node.name = 'a/b': not a name of a node; fix: write 1 to 64 letters, digits"),
        ("[node]\nname = '.a'", "node.name = '.a': not a name of a node"),
        ('[node]\nname = "a\\n"', "node.name = "),
        ("[node\n", "Expected ']' at the end of a table declaration (at line 1, column 6); fix: "),
    ],
)
def test_a_wrong_value_is_named_with_its_fix(tmp_path: Path, text: str, expected: str) -> None:
    assert any(line.startswith(expected) for line in problems(write(tmp_path, text)))


def test_two_listeners_of_one_name_and_place(tmp_path: Path) -> None:
    one = "[[listener]]\nname = 'a'\naddress = '127.0.0.1'\nport = 5060\n"
    found = problems(write(tmp_path, one + one))
    assert found[0].startswith("listener[2].name = 'a': used twice")
    assert found[1].startswith("listener[2].port = 5060: taken on 127.0.0.1 already")


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    environ = {"CALLGATE_GATE__DEDLINE_MS": "5", "CALLGATE_NOPE": "1", "CALLGATE_LISTENER": "x"}
    found = problems(write(tmp_path, "[gate]\ndeadline_ms = 0\n[http]\nport = 70000\n"), environ)
    assert len(found) == 5
    text = "\n".join(found)
    assert "CALLGATE_GATE__DEDLINE_MS = '5': no such setting; fix: unset it or write CALLGATE_GATE__DEADLINE_MS" in text
    assert "CALLGATE_NOPE = '1': no such setting" in text
    assert "CALLGATE_LISTENER = 'x': " in text
    assert "http.port = 70000: should be less than or equal to 65535; fix: set it to a port number" in text


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert problems(tmp_path / "absent.toml") == ["No such file or directory; fix: give --config FILE that can be read"]
    path = tmp_path / "latin1.toml"
    path.write_bytes(b"[node]\nname = '\xe9'\n")
    assert problems(path) == ["byte 15: not UTF-8; fix: save the file as UTF-8"]


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="give --config FILE or set CALLGATE_CONFIG"):
        find_config(None, {})
    (tmp_path / "config/example").mkdir(parents=True)
    (tmp_path / EXAMPLE).touch()
    assert find_config(None, {}) == EXAMPLE
    (tmp_path / "callgate.toml").touch()
    assert find_config(None, {}) == Path("callgate.toml")
    assert find_config(None, {"CALLGATE_CONFIG": "b.toml"}) == Path("b.toml")
    assert find_config(Path("a.toml"), {"CALLGATE_CONFIG": "b.toml"}) == Path("a.toml")


def test_advertised_address_and_its_defaults(tmp_path: Path) -> None:
    text = "[[listener]]\nname='a'\naddress='::1'\n"
    text += "[[listener]]\nname='b'\naddress='127.0.0.1'\nadvertised_host='sip.example.net'\nadvertised_port=5080\n"
    first, second = load_settings(write(tmp_path, text), {}).listener
    assert (first.host, first.public_port) == ("[::1]", 5060)
    assert (second.host, second.public_port) == ("sip.example.net", 5080)


def test_sockets_stay_short_enough(tmp_path: Path) -> None:
    assert run_dir_of(Path("/var/lib/callgate")) == Path("/var/lib/callgate/run")
    deep = Path("/" + "d" * MAX_SOCKET_PATH)
    short = run_dir_of(deep)
    assert len(str(short)) < MAX_SOCKET_PATH
    assert short == run_dir_of(deep) != run_dir_of(Path("/" + "e" * MAX_SOCKET_PATH))


def test_the_run_directory_is_private(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, f"[node]\nstate_dir = '{tmp_path}/s'\n"), {})
    assert isinstance(settings, Settings)
    assert make_run_dir(settings).stat().st_mode & 0o777 == 0o700
    assert settings.worker_socket(3).name == "worker-3.sock"


def test_contradictions_and_bad_values_are_told_in_one_round(tmp_path: Path) -> None:
    found = problems(write(tmp_path, "[gate]\ndeadline_ms = 0\n[http]\naddress = 'here'\n[timers]\nt2_ms = 100\n"))
    assert [line.partition(" ")[0] for line in found] == ["gate.deadline_ms", "http.address", "timers.t2_ms"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://:secret@h/0", "redis://:***@h/0"),
        ("postgresql://u:se@cret@h/d?sslmode=require", "postgresql://u:***@h/d?sslmode=require"),
        ("postgresql:///d?host=/run&password=secret", "postgresql:///d?host=/run&password=***"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("", ""),
        (5, 5),
    ],
)
def test_passwords_are_masked(url: object, expected: object) -> None:
    assert masked(url) == expected


def test_no_password_is_shown(tmp_path: Path) -> None:
    path = write(tmp_path, "[redis]\nurl = 'redis://:secret@h'\n[database]\nurl = 'postgresql://u:secret@h/d'\n")
    assert "secret" not in str(shown(load_settings(path, {})))
    environ = {"CALLGATE_REDIS_URL": "redis://:secret@h"}
    assert "secret" not in "".join(problems(path, environ))
    assert "secret" not in "".join(problems(write(tmp_path, "[redis]\nulr = 'redis://:secret@h'\n")))
