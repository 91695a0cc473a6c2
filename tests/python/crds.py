"""What operators take of the kinds that Kubernetes itself does not know: the parts that the chart uses, and no others."""

from jsonschema import Draft202012Validator


def exactly(required, **optional):
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {**required, **optional},
    }


def some(items):
    return {"type": "array", "minItems": 1, "items": items}


TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
DURATION = {"type": "string", "pattern": "^([0-9]+(h|m|s|ms))+$"}
HOST = {"type": "string", "pattern": r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"}
RULE = {"expr": TEXT, "labels": TEXTS}

PARENTS = some(exactly({"name": TEXT}, group=TEXT, kind=TEXT, namespace=TEXT, sectionName=TEXT, port=PORT))
BACKENDS = some(exactly({"name": TEXT, "port": PORT}))
PATH = exactly({"type": {"enum": ["Exact", "PathPrefix"]}, "value": {"type": "string", "pattern": "^/"}})
METHOD = exactly({"type": {"enum": ["Exact"]}, "service": TEXT}, method=TEXT)

# The version of each kind's API, and its `spec`.
CUSTOM = {
    "ServiceMonitor": (
        "monitoring.coreos.com/v1",
        exactly(
            {
                "selector": exactly({"matchLabels": TEXTS}),
                "endpoints": some(
                    exactly(
                        {"port": TEXT, "path": {"type": "string", "pattern": "^/"}, "interval": DURATION},
                        scrapeTimeout=DURATION,
                        metricRelabelings=some(
                            exactly({"action": TEXT}, regex=TEXT, sourceLabels=some(TEXT), targetLabel=TEXT)
                        ),
                    )
                ),
            },
            jobLabel=TEXT,
        ),
    ),
    "PrometheusRule": (
        "monitoring.coreos.com/v1",
        exactly(
            {
                "groups": some(
                    exactly(
                        {
                            "name": TEXT,
                            "rules": some(exactly({"alert": TEXT, **RULE, "annotations": TEXTS}, **{"for": DURATION})),
                        }
                    )
                )
            }
        ),
    ),
    "HTTPRoute": (
        "gateway.networking.k8s.io/v1",
        exactly(
            {
                "parentRefs": PARENTS,
                "rules": some(exactly({"matches": some(exactly({"path": PATH})), "backendRefs": BACKENDS})),
            },
            hostnames=some(HOST),
        ),
    ),
    "GRPCRoute": (
        "gateway.networking.k8s.io/v1",
        exactly(
            {
                "parentRefs": PARENTS,
                "rules": some(exactly({"backendRefs": BACKENDS}, matches=some(exactly({"method": METHOD})))),
            },
            hostnames=some(HOST),
        ),
    ),
    "Certificate": (
        "cert-manager.io/v1",
        exactly(
            {
                "secretName": TEXT,
                "issuerRef": exactly({"name": TEXT, "kind": {"enum": ["Issuer", "ClusterIssuer"]}, "group": TEXT}),
                "dnsNames": some(HOST),
                "privateKey": exactly(
                    {"algorithm": {"enum": ["ECDSA"]}, "size": {"enum": [256, 384, 521]}},
                    rotationPolicy={"enum": ["Always", "Never"]},
                ),
            },
            duration=DURATION,
            renewBefore=DURATION,
        ),
    ),
}
METADATA = exactly({"name": TEXT, "namespace": TEXT, "labels": TEXTS}, annotations=TEXTS)


def check_custom(resource):
    version, spec = CUSTOM[resource["kind"]]
    whole = exactly({"apiVersion": {"const": version}, "kind": TEXT, "metadata": METADATA, "spec": spec})
    wrong = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(resource)]
    assert not wrong, f"{resource['kind']}: {wrong}"
