def test_shots(open_page, anneal):
    rows = "\n".join(f"{x},{x % 5},{x * 2}" for x in range(60))
    for n in ("doubles.csv", "wine quality of the north.csv"):
        anneal.client.post(
            "/v1/datasets",
            files={
                "file": (
                    n,
                    f"a,b,double\n{rows}\n".encode() + n.encode() + b",1,1\n"
                    if n != "doubles.csv"
                    else f"a,b,double\n{rows}\n".encode(),
                    "text/csv",
                )
            },
            data={"target": "double"},
        ).raise_for_status()
    job = anneal.client.post("/v1/jobs", json={"dataset": {"name": "iris"}}).json()["id"]
    for name, kw in {"wide": {}, "phone": dict(viewport={"width": 360, "height": 740}, color_scheme="dark")}.items():
        for route, n in (("#/datasets", "datasets"), ("", "jobs"), (f"#/jobs/{job}", "job")):
            page = open_page(route, **kw)
            page.wait_for_timeout(1500)
            page.screenshot(path=f"/tmp/shot-{n}-{name}.png")
