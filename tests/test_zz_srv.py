import httpx
def test_a(server, make_http):
    c = make_http(server); print(server.base_url, c.get("/health").text, c.get("/").text, c.get("/ready").text)
    server.kill(); server.restart(); assert c.get("/health").status_code==200
    assert server.stop() == 0, server.log()
    server.start(); print(server.manage("check").stdout)
def test_b(shared_server, make_http): assert make_http(shared_server).get("/v1/nothing").status_code==404
def test_c(shared_server, make_http): assert make_http(shared_server).get("/v1/vectors/index").status_code==200
def test_fail(shared_server, make_http): assert make_http(shared_server).get("/v1/nothing").status_code==200
