"""Webhooks as a receiver sees them that trusts nothing but a public Standard Webhooks library."""

import http.server
import json
import queue
import threading
import time
from datetime import datetime, timedelta

import pytest
from conftest import TIMEOUT, create_organization, create_subprocessor
from standardwebhooks import webhooks
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from subprocessor.registry.v1 import delivery_pb2, subprocessor_pb2, subscription_pb2


class Receiver:
    """Keeps what it is sent, and answers with the challenge, if there is one."""

    def __init__(self):
        got = self.got = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                got.put((dict(self.headers.items()), body))
                answer = json.loads(body)["data"].get("challenge", "").encode()
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        return self.got.get(timeout=TIMEOUT)


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


def kind(event):
    return event["type"].removeprefix("dev.subprocessor.registry.")


def listed(registry, parent, subprocessor_id):
    return create_subprocessor(
        registry,
        parent,
        subprocessor_id,
        state=subprocessor_pb2.Subprocessor.STATE_ACTIVE,
        recorded_as_found=True,
        listed=True,
        section=subprocessor_id,
    )


def subscribed(registry, receiver, organization_id):
    """A subscription that has agreed, and its secret."""
    parent = create_organization(registry, organization_id).name
    subscription = subscription_pb2.Subscription(webhook=subscription_pb2.WebhookTarget(uri=receiver.uri))
    made = registry.notices.CreateSubscription(
        subscription_pb2.CreateSubscriptionRequest(parent=parent, subscription_id="hook", subscription=subscription)
    )
    secret = made.webhook.secret
    headers, body = receiver.next()
    assert kind(Webhook(secret).verify(body, headers)) == "subscription.verification"
    get = subscription_pb2.GetSubscriptionRequest(name=made.name)
    end = time.monotonic() + TIMEOUT
    while registry.notices.GetSubscription(get).state != subscription_pb2.Subscription.STATE_ACTIVE:
        assert time.monotonic() < end, "it has not agreed"
    return parent, made.name, secret


def test_every_webhook_verifies_also_while_its_secret_is_rotated(registry, fresh, receiver):
    parent, name, old = subscribed(registry, receiver, fresh("hooks"))
    listed(registry, parent, "first")
    headers, body = receiver.next()
    assert kind(Webhook(old).verify(body, headers)) == "list.changed"

    rotate = subscription_pb2.RotateSubscriptionSecretRequest(name=name, overlap="PT1H")
    new = registry.notices.RotateSubscriptionSecret(rotate).webhook.secret
    listed(registry, parent, "second")
    headers, body = receiver.next()
    for secret in (old, new):
        assert Webhook(secret).verify(body, headers)["data"]["changes"][0]["after"]["name"] == "second"

    rotate = subscription_pb2.RotateSubscriptionSecretRequest(name=name, overlap="PT0S")
    newest = registry.notices.RotateSubscriptionSecret(rotate).webhook.secret
    listed(registry, parent, "third")
    headers, body = receiver.next()
    Webhook(newest).verify(body, headers)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(new).verify(body, headers)


def test_what_is_altered_stale_or_replayed_is_refused(registry, fresh, receiver, monkeypatch):
    parent, name, secret = subscribed(registry, receiver, fresh("hooks"))
    change = listed(registry, parent, "first")
    headers, body = receiver.next()
    verifier = Webhook(secret)
    event = verifier.verify(body, headers)
    sent = {key.lower(): value for key, value in headers.items()}
    assert event["id"] == sent["webhook-id"]

    # Nothing of what is signed can be changed.
    for altered in (
        (sent, body.replace(b"first", b"worst")),
        ({**sent, "webhook-id": "another"}, body),
        ({**sent, "webhook-timestamp": str(int(sent["webhook-timestamp"]) + 1)}, body),
    ):
        with pytest.raises(WebhookVerificationError, match="No matching signature"):
            verifier.verify(altered[1], altered[0])

    # What is sent again is signed anew, under the id that the receiver has seen.
    again = delivery_pb2.ReplayDeliveriesRequest(
        subscription=name, from_revision=change.revision, to_revision=change.revision
    )
    assert registry.notices.ReplayDeliveries(again).delivery_count == 1
    headers, replayed = receiver.next()
    assert verifier.verify(replayed, headers)["id"] == event["id"]
    assert replayed == body

    # A copy that somebody kept is too old when the receiver's clock has gone on.
    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(minutes=6)

    monkeypatch.setattr(webhooks, "datetime", Later)
    with pytest.raises(WebhookVerificationError, match="too old"):
        verifier.verify(body, sent)
