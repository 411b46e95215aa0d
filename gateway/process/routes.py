"""Everything that is served over HTTP, in the order in which it is looked for."""

from __future__ import annotations

from gateway.api import (
    audience,
    audit,
    batches,
    campaigns,
    cases,
    changes,
    defences,
    dossiers,
    erasures,
    evidence,
    exports,
    holds,
    message_list,
    messages,
    operations,
    permissions,
    rights_requests,
    signups,
    subjects,
    withdrawals,
)
from gateway.desk import acts, breach, by_provider, defending, entrance, log_pages, taking_out
from gateway.desk import cases as desk_cases
from gateway.desk import papers as desk_papers
from gateway.desk import people as desk_people
from gateway.desk import sent as desk_sent
from gateway.people import (
    again,
    confirmations,
    docs,
    embed,
    export,
    form_page,
    form_posts,
    forms,
    lifted,
    my_data,
    pace,
    recipients,
    rectify,
    rights,
)

API = (
    forms.describe_form,
    form_posts.post_form,
    signups.post_signup,
    messages.post_message,
    batches.post_batch,
    message_list.get_messages,
    messages.get_message,
    messages.delete_message,
    *campaigns.ROWS,
    audience.get_audience,
    changes.get_changes,
    permissions.post_permission,
    withdrawals.post_withdrawal,
    erasures.post_erasure,
    erasures.get_erasure,
    cases.post_search,
    *rights_requests.ROWS,
    holds.post_hold,
    holds.delete_hold,
    subjects.post_lookup,
    dossiers.get_dossier,
    defences.post_defence,
    evidence.get_evidence,
    audit.get_checkpoint,
    audit.get_events,
    audit.get_proof,
    exports.get_export,
    exports.post_export,
)

PAGES = (
    recipients.show_about,
    form_page.open_form,
    embed.script,
    recipients.show_notice,
    confirmations.show_confirmation,
    confirmations.answer_confirmation,
    recipients.show_unsubscribe,
    recipients.unsubscribe,
    again.show_again,
    again.ask_again,
    recipients.show_stop,
    recipients.stop,
)

OWN_PAGES = (
    my_data.start,
    my_data.ask,
    my_data.why,
    my_data.preferences,
    my_data.change_preferences,
    my_data.leave,
    export.export,
    rights.show_restriction,
    rights.restrict,
    rights.show_objection,
    rights.object_to_it,
    rights.show_erasure,
    rights.erase_me,
    rights.download_certificate,
    pace.show_pace,
    pace.choose_pace,
    rectify.show_details,
    rectify.rectify,
    rectify.show_address,
    rectify.press_address,
    lifted.show_lifted,
    lifted.stop_again,
    *my_data.FRESH_LINKS,  # before the links of mails, whose paths take longer tokens too
    recipients.show_why,
    recipients.show_preferences,
    recipients.change_preferences,
)

DESK = (
    *entrance.ROWS,
    *by_provider.ROWS,
    *desk_people.ROWS,
    *acts.ROWS,
    *desk_cases.ROWS,
    *log_pages.ROWS,
    *taking_out.ROWS,
    *desk_sent.ROWS,
    *defending.ROWS,
    *breach.ROWS,
    *desk_papers.ROWS,
)

OPERATIONS = (
    operations.healthz,
    operations.readyz,
    operations.show_security,
    docs.show,
    docs.show_text,
    docs.show_script,
    docs.show_problem,
)
