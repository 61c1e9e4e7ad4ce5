#!/usr/bin/env python3
"""Compares a CycloneDX document of ours with the JSON of syft over the same image.

    mercat certify --sbom OUT oci:IMAGE; syft -q -o json oci-dir:IMAGE > syft.json
    compare.py OUT/*.cdx.json syft.json
"""
import json
import sys
from collections import Counter


def plain(purl):
    """Without qualifiers; syft writes the end of a Go module path as subpath, and keeps its case."""
    rest, _, subpath = purl.partition("#")
    rest = rest.split("?")[0]
    if not rest.startswith("pkg:golang/"):
        return rest
    name, at, version = rest.lower().partition("@")
    return name + ("/" + subpath.lower() if subpath else "") + at + version


ours = {}
for part in json.load(open(sys.argv[1]))["components"]:
    if "purl" in part and not any(p["name"] == "mercat:removed" for p in part.get("properties", [])):
        ours[plain(part["purl"])] = [o["location"] for o in part.get("evidence", {}).get("occurrences", [])]
theirs, nameless = {}, []
for found in json.load(open(sys.argv[2]))["artifacts"]:
    places = [place["path"] for place in found["locations"]]
    if found["purl"]:
        theirs.setdefault(plain(found["purl"]), []).extend(places)
    else:
        nameless.append((found["type"], found["name"], found["version"], places[:1]))


def kind(purl):
    return purl.split("/")[0]


print("ours", dict(Counter(map(kind, ours))))
print("syft", dict(Counter(map(kind, theirs))))
for title, one, other in (("only syft", theirs, ours), ("only ours", ours, theirs)):
    print(f"\n{title}:")
    for purl in sorted(set(one) - set(other)):
        print("  ", purl, one[purl][:2])
print("\nsyft without a package URL:", nameless)
