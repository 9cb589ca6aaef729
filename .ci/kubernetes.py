"""Holds every resource below a folder to its schema: those of Chaos Mesh to the definitions in another folder, all others
to those of Kubernetes. A field that no schema names is an error too: a cluster would drop it without a word."""
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml


def closed(schema):
    """The schema with every object closed that doesn't say otherwise."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(part) for name, part in schema.items()}
    free = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    # A property may be called `properties`: then it is a schema, and has no type of its own.
    if schema.get("type") == "object" and isinstance(schema.get("properties"), dict) and not free:
        schema["additionalProperties"] = False
    return schema


def definitions(folder):
    found = {}
    for file in pathlib.Path(folder).glob("*.yaml"):
        for crd in yaml.safe_load_all(file.read_text()):
            if crd:
                for version in crd["spec"]["versions"]:
                    api = f"{crd['spec']['group']}/{version['name']}"
                    found[api, crd["spec"]["names"]["kind"]] = closed(version["schema"]["openAPIV3Schema"])
    return found


crds, written = sys.argv[1:]
known, count, problems = definitions(crds), 0, []
for file in sorted(pathlib.Path(written).rglob("*.yaml")):
    for resource in yaml.safe_load_all(file.read_text()):
        count += 1
        kind = resource["apiVersion"], resource["kind"]
        if kind in known:
            errors = jsonschema.Draft202012Validator(known[kind]).iter_errors(resource)
            problems += [f"{file.name}: {'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]
        elif "chaos-mesh" in kind[0]:
            problems.append(f"{file.name}: there is no definition of {kind}")
        else:
            try:
                kubernetes_validate.validate(resource, "1.34", strict=True)
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{file.name}: {'.'.join(map(str, error.path))}: {error.message}")
print("\n".join(problems) or f"{count} resources are as their schemas say")
sys.exit(bool(problems))
