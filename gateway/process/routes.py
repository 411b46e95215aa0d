"""Everything that is served over HTTP, in the order in which it is looked for."""

from __future__ import annotations

from gateway.api import (
    audit,
    batches,
    messages,
    operations,
    permissions,
    signups,
    withdrawals,
)
from gateway.http.openapi import HTML, Endpoint, Media, page
from gateway.people import docs, embed, form_page, form_posts, forms, my_data, recipients
from gateway.people.page_models import (
    ConfirmationAnswer,
    MyDataQuestion,
    OneClick,
    PreferencesAnswer,
)

_FRESH = "{token:[A-Za-z0-9_-]{43}}"  # a fresh link is longer than a mail's, and known by that
_LANDING = ("landing pages",)
_LINKS = ("recipients, by link",)
_OWN = ("a person's own data",)

API = (
    forms.describe_form,
    form_posts.post_form,
    signups.post_signup,
    messages.post_message,
    batches.post_batch,
    messages.get_message,
    messages.delete_message,
    permissions.post_permission,
    withdrawals.post_withdrawal,
    audit.get_checkpoint,
    audit.get_events,
    audit.get_proof,
)

PAGES = (
    page("GET", "/", recipients.show_about, "Who mails from here, and how to leave", tags=_LINKS),
    page("GET", forms.PATH, form_page.open_form, "The hosted form", tags=_LANDING),
    Endpoint(
        "GET",
        f"{forms.PATH}.js",
        "The form for a page of yours, as a script",
        embed.script,
        {200: Media("text/javascript")},
        tags=_LANDING,
    ),
    page("GET", "/notices/{hash}", recipients.show_notice, "A privacy notice", tags=_LANDING),
    page(
        "GET",
        "/confirm/{token}",
        recipients.show_confirmation,
        "What a sign-up asked for, and one button; changes nothing",
        statuses=(200, 410),
        tags=_LINKS,
    ),
    page(
        "POST",
        "/confirm/{token}",
        recipients.answer_confirmation,
        "Confirm, or say that it was somebody else",
        form=ConfirmationAnswer,
        statuses=(200, 410),
        tags=_LINKS,
    ),
    page("GET", "/unsubscribe/{token}", recipients.show_unsubscribe, "One button", tags=_LINKS),
    page(
        "POST",
        "/unsubscribe/{token}",
        recipients.unsubscribe,
        "Withdraw; answered when nothing for it can start any more",
        form=OneClick,
        tags=_LINKS,
    ),
)

OWN_PAGES = (
    page("GET", "/my-data", my_data.start, "Ask for a link; in a session: everything", tags=_OWN),
    page(
        "POST",
        "/my-data",
        my_data.ask,
        "Send a link to the mailbox; the same answer whether known or not",
        form=MyDataQuestion,
        statuses=(200, 422),
        tags=_OWN,
    ),
    page("GET", "/my-data/why", my_data.why, "Every consent", statuses=(200, 303), tags=_OWN),
    page(
        "GET",
        "/my-data/preferences",
        my_data.preferences,
        "Every purpose with its switch",
        statuses=(200, 303),
        tags=_OWN,
    ),
    page(
        "POST",
        "/my-data/preferences",
        my_data.change_preferences,
        "Change preferences",
        form=PreferencesAnswer,
        statuses=(200, 303),
        tags=_OWN,
    ),
    page("POST", "/my-data/leave", my_data.leave, "End the session", statuses=(303,), tags=_OWN),
    *(
        row
        for opened, shows, does in (
            ("my-data", "", ""),
            ("why", "; from a mail: why it came", ""),
            ("preferences", "; from a mail: its purpose's switch", "; from a mail: switch that"),
        )
        for row in (
            page(
                "GET",
                f"/{opened}/{_FRESH}",
                my_data.show_link,
                f"A fresh link: one button{shows}",
                statuses=(200, 410),
                tags=_OWN,
            ),
            page(
                "POST",
                f"/{opened}/{_FRESH}",
                my_data.open_link,
                f"Spend a fresh link and open a session{does}",
                form=PreferencesAnswer if opened == "preferences" else None,
                statuses=(200, 303, 410),
                tags=_OWN,
            ),
        )
    ),
    page("GET", "/why/{token}", recipients.show_why, "Why a mail came", tags=_LINKS),
    page(
        "GET",
        "/preferences/{token}",
        recipients.show_preferences,
        "The switch of one purpose",
        tags=_LINKS,
    ),
    page(
        "POST",
        "/preferences/{token}",
        recipients.change_preferences,
        "Switch one purpose; on asks the mailbox first",
        form=PreferencesAnswer,
        tags=_LINKS,
    ),
)

OPERATIONS = (
    operations.healthz,
    operations.readyz,
    Endpoint("GET", "/docs", "This API, to read", docs.show, {200: HTML}, tags=("operator",)),
    page(
        "GET",
        "/problems/{slug:[a-z-]{1,64}}",
        docs.show_problem,
        "What a problem document's type means, and what to do",
        tags=("operator",),
    ),
)
