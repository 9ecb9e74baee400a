from __future__ import annotations
import pathlib, json, os
from tests.catalog.engines import open_duckdb, open_catalog
from catalog.manifests import read_manifest_list, data_file_paths
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]="1"
def test_duck(live_server, warehouse, tmp_path):
    with open_duckdb(live_server.url, tmp_path) as d:
        d.execute("create table l.ns.t3 (a bigint, b varchar) with ('format-version'='3')")
        for q in ("insert into l.ns.t3 values (1,'x'),(2,'y')","insert into l.ns.t3 select range, 'z' from range(1000)","delete from l.ns.t3 where a=1","update l.ns.t3 set b='q' where a=2","begin; insert into l.ns.t3(a) values (5); insert into l.ns.t3(a) values (6); commit"):
            try: d.execute(q)
            except Exception as e: print("Q",q,repr(e)[:500])
        print(d.execute("select count(*) from l.ns.t3").fetchall())
    from catalog.models import Relation
    from catalog.summaries import facts_of
    for r in Relation.objects.all():
        m=json.loads(r.metadata_text); print(r.name, facts_of(m), m["next-row-id"], m["snapshots"][-1])
