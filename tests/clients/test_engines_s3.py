"""Other engines with the files on S3: they are told keys of their own, and read and write there by themselves.

On moto, since rclone refuses a range that ends behind the object's end, which Amazon shortens and Daft asks for.
"""

from __future__ import annotations

import pytest

from tests.clients.test_engines import EXPECTED, run_python
from tests.conftest import MakeServer
from tests.s3 import REGION, S3Endpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def s3_moto(request: pytest.FixtureRequest) -> S3Endpoint:
    endpoint: S3Endpoint = request.getfixturevalue("_s3_moto")
    return endpoint.new_bucket()


@pytest.mark.parametrize("name", ["polars", "daft"])
def test_an_engine_does_the_same_on_s3(name: str, s3_moto: S3Endpoint, make_server: MakeServer) -> None:
    server = make_server(**s3_moto.environment)
    keys = {
        "s3.access-key-id": s3_moto.access_key,
        "s3.secret-access-key": s3_moto.secret_key,
        "s3.region": REGION,
        "s3.endpoint": s3_moto.url,
    }

    told = run_python(f"{name}_client.py", server, keys)

    assert told == {**EXPECTED, "tables": [f"{name}.kept"]}
