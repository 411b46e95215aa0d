"""A Postfix of its own, on loopback, in a directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port

_MAIN = """
compatibility_level = 3.6
queue_directory = {directory}/spool
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink}
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = none
smtpd_relay_restrictions = permit_mynetworks, reject
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def postfix(
    directory: Path, sink: int, more: str = "", begin: Callable[[], None] | None = None
) -> Iterator[int]:
    """One that hands everything on to *sink*; *more* settings; *begin* runs in its process."""
    port, settings = free_port(), directory / "etc"
    for name in ("etc", "spool", "data"):
        (directory / name).mkdir()
    shutil.chown(directory / "data", "postfix")
    for parent in [directory, *directory.parents]:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    (settings / "main.cf").write_text(_MAIN.format(directory=directory, sink=sink) + more)
    (settings / "master.cf").write_text(_MASTER.format(port=port))
    subprocess.run(["postfix", "-c", settings, "check"], check=True, capture_output=True)
    master = subprocess.Popen(
        ["/usr/lib/postfix/sbin/master", "-c", settings, "-d"],
        env={"PATH": os.defpath, "MAIL_CONFIG": str(settings)},
        stderr=subprocess.DEVNULL,
        preexec_fn=begin,
    )
    try:
        yield port
    finally:
        master.terminate()
        master.wait(60)
