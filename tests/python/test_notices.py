"""A change is announced, a customer answers, and it takes effect."""

from grpc import StatusCode
from subprocessor.registry.v1 import (
    customer_pb2,
    notice_pb2,
    objection_pb2,
    organization_pb2,
    recipient_pb2,
    subprocessor_pb2,
)

from conftest import refused


def test_a_change_takes_effect_for_who_is_cleared(registry, fresh):
    policy = organization_pb2.NoticePolicy(enforcement=organization_pb2.NoticePolicy.ENFORCEMENT_REQUIRED)
    organization = registry.organizations.CreateOrganization(
        organization_pb2.CreateOrganizationRequest(
            organization_id=fresh("acme"),
            organization=organization_pb2.Organization(display_name="Acme", notice_policy=policy),
        )
    )
    # Nothing is owed to the one, thirty days to the other.
    for customer_id, days in [("now", 0), ("later", 30)]:
        agreement = customer_pb2.Agreement(notice_days=days, objection_days=days)
        registry.organizations.CreateCustomer(
            customer_pb2.CreateCustomerRequest(
                parent=organization.name,
                customer_id=customer_id,
                customer=customer_pb2.Customer(display_name=customer_id, agreement=agreement),
            )
        )
    name = f"{organization.name}/subprocessors/mail"
    proposed = subprocessor_pb2.Subprocessor(display_name="Mail", purposes=["E-mail"])
    change = notice_pb2.NoticeChange(kind=notice_pb2.NoticeChange.KIND_ADD, subprocessor=name, proposed=proposed)
    notice = registry.notices.CreateNotice(
        notice_pb2.CreateNoticeRequest(
            parent=organization.name,
            notice_id="mail",
            notice=notice_pb2.Notice(title="A new mailer", changes=[change]),
        )
    )
    approval = notice_pb2.ApproveNoticeRequest(name=notice.name)
    with refused(StatusCode.FAILED_PRECONDITION, reason="NOTICE_REFUSED"):
        registry.notices.ApproveNotice(approval)
    policy.four_eyes = False
    registry.organizations.UpdateOrganization(
        organization_pb2.UpdateOrganizationRequest(
            organization=organization_pb2.Organization(name=organization.name, notice_policy=policy)
        )
    )
    registry.notices.ApproveNotice(approval)
    published = registry.notices.PublishNotice(notice_pb2.PublishNoticeRequest(name=notice.name))
    assert published.recipient_count == 2

    recipients = registry.notices.ListNoticeRecipients(
        recipient_pb2.ListNoticeRecipientsRequest(parent=notice.name)
    ).recipients
    status = {one.customer.rsplit("/")[-1]: one.changes[0].status for one in recipients}
    change_status = recipient_pb2.RecipientChange
    assert status == {"later": change_status.STATUS_PENDING, "now": change_status.STATUS_DEEMED_AUTHORIZED}

    # Without a vendor there is no Annex III to be complete: the gate holds it.
    held = registry.notices.GetNotice(notice_pb2.GetNoticeRequest(name=notice.name))
    assert held.state == notice_pb2.Notice.STATE_HELD
    assert held.hold_reasons
    objection = registry.notices.CreateObjection(
        objection_pb2.CreateObjectionRequest(
            parent=notice.name,
            objection=objection_pb2.Objection(customer=f"{organization.name}/customers/later", grounds="no"),
        )
    )
    assert not objection.late and objection.state == objection_pb2.Objection.STATE_OPEN
