"""Every sentence that people read, and the test of the fact that it states.

`tests/unit/test_every_word.py` compares this with all catalogues and the built-in
notice: a new sentence needs the test of its fact here, or stands among those that
state none about the gateway. Sentences are written as the templates have them, in
English; what the notice says by its claims.
"""

from __future__ import annotations

from typing import Final

_TRUE: Final = "promises/test_every_word_is_true.py::"
_KEPT: Final = "promises/test_nothing_is_kept_longer.py::"
_CONFIRM: Final = "http/test_confirmations.py::"
_LINKS: Final = "http/test_recipients.py::"
_OWN: Final = "http/test_my_data.py::"
_STOPS: Final = "attacks/test_service_mails.py::"

_DESK: Final = "http/test_dpo.py::"
_DOOR: Final = "http/test_by_provider.py::"
_CODES: Final = "attacks/test_other_peoples_codes.py::"
_DEFENCE: Final = "http/test_dpo_defence.py::"
_SENT: Final = "http/test_dpo_sent.py::"
_LOG: Final = "http/test_dpo_log.py::"
_TAKEN: Final = "http/test_dpo_exports.py::"
_HOLDS: Final = "http/test_dpo_holds.py::"
_CASES: Final = "http/test_dpo_cases.py::"
_BREACH: Final = "http/test_dpo_breach.py::"
_PAPERS: Final = "http/test_live_papers.py::"
_ANEW: Final = "contract/test_ask_anew.py::"
ANEW: Final = f"{_ANEW}test_who_says_yes_is_mailed_under_what_is_so_now"
DECLINED: Final = f"{_ANEW}test_who_says_no_is_mailed_under_neither_wording_whatever_comes"
NEVER_ME: Final = f"{_ANEW}test_not_me_ends_what_was_before_too_and_keeps_strangers_from_asking"
UNANSWERED: Final = f"{_ANEW}test_who_does_not_answer_is_not_mailed_and_not_asked_again"
ANEW_OVER: Final = f"{_ANEW}test_the_link_works_for_two_weeks_and_says_so"
OVER: Final = f"{_TRUE}test_what_was_confirmed_outlives_its_link_and_nothing_else_does"
ONLY_ASKS: Final = f"{_TRUE}test_before_a_confirmation_only_mails_that_ask_for_it_go"
NO_PIXEL: Final = f"{_TRUE}test_no_pixel_leaves_and_no_link_is_rewritten"
LEAVES: Final = f"{_LINKS}test_one_click_withdraws_whatever_the_body"
WITHDRAWS: Final = f"{_TRUE}test_a_withdrawal_is_said_with_an_if_because_a_link_may_be_nobodys"
_AGAIN: Final = "http/test_again.py::"
LEFT: Final = f"{_AGAIN}test_the_pages_name_what_is_left_and_offer_to_be_asked_again"
AGAIN_ASKED: Final = (
    f"{_AGAIN}test_ask_me_again_sends_one_mail_that_asks_and_says_where_it_came_from"
)
WHY_SO: Final = f"{_AGAIN}test_why_says_what_is_so_now"
NOT_MAILED: Final = (
    "http/test_said_as_it_is.py::"
    "test_what_is_confirmed_and_not_mailed_is_said_to_be_so_wherever_it_is_shown"
)
SELDOM: Final = f"{_AGAIN}test_after_a_mail_that_nobody_confirms_the_next_ones_are_far_apart"
UNASKED: Final = f"{_AGAIN}test_who_must_not_be_asked_is_not_and_the_answer_is_the_same"
_TOLD: Final = "promises/test_withdrawal_is_told.py::"
TOLD: Final = f"{_TOLD}test_a_withdrawal_is_told_once_by_a_mail_with_that_link_alone"
BLOCKS: Final = "promises/test_it_is_no_weapon.py::test_whoever_says_stop_is_not_asked_again"
SPELLINGS: Final = f"{_STOPS}test_no_spelling_of_a_mailbox_is_asked_again"
UNCOVERED: Final = (
    "contract/test_coverage.py::test_who_confirms_words_of_before_is_told_that_no_mail_follows"
)
NOTHING_TO_STOP: Final = (
    f"{_STOPS}test_a_link_of_who_was_forgotten_promises_nothing_that_it_does_not_do"
)
STOPPED: Final = f"{_STOPS}test_a_mailbox_that_stops_them_gets_neither_for_a_year"
METERED: Final = "unit/test_link_meter.py::test_who_confirmed_gets_one_a_day_and_five_a_month"
ONCE: Final = (
    "contract/test_session.py::test_a_link_that_nobody_opened_ends_after_a_quarter_of_an_hour"
)
HALF_AN_HOUR: Final = (
    "contract/test_session.py::test_a_link_opens_one_session_which_ends_after_half_an_hour"
)
STORY: Final = f"{_OWN}test_the_overview_and_the_proof_show_everything"
HINDERED: Final = f"{_CONFIRM}test_the_page_promises_no_mail_that_is_not_permitted"
ASKED_AGAIN: Final = f"{_LINKS}test_an_expired_link_says_so_and_offers_a_new_mail"
SWITCH: Final = f"{_LINKS}test_the_switch_shows_at_once_what_was_said_and_says_what_comes_of_it"
NEUTRAL: Final = f"{_LINKS}test_a_link_that_nobody_has_looks_like_any_other"
ALIKE: Final = f"{_OWN}test_the_answer_is_the_same_for_a_stranger_who_gets_no_mail"
WEEK: Final = "promises/test_it_is_no_weapon.py::test_the_cap_holds_for_a_week_and_not_for_ever"
CHECKSUM: Final = (
    f"{_TRUE}test_a_checksum_of_the_address_is_left_for_twelve_months_by_whoever_wants_it"
)
OWN_END: Final = f"{_KEPT}test_each_proof_ends_by_its_own_consents_end_while_another_stands"
FINAL: Final = (
    "promises/test_withdrawal_is_final.py::"
    "test_no_mail_is_begun_after_the_earlier_of_two_answers_under_load"
)
TWO: Final = (
    "http/test_two_senders.py::"
    "test_mail_and_confirmation_page_name_each_sender_with_imprint_and_notice"
)
_FOLLOWS: Final = "contract/test_following.py::"
CALLED: Final = f"{_FOLLOWS}test_what_a_caller_calls_somebody_is_told_once_they_confirmed"
CALLED_KEPT: Final = f"{_FOLLOWS}test_they_go_a_month_after_what_they_came_with_ended"
PURPOSE: Final = f"{_TRUE}test_a_mail_goes_only_for_what_was_agreed_to"
SEALED: Final = (
    "promises/test_nothing_personal_in_the_clear.py::test_a_canary_person_is_found_nowhere"
)
LOOKS: Final = f"{_OWN}test_each_session_is_a_look_in_the_log"
PROVEN: Final = (
    "promises/test_every_consent_can_be_proven.py::"
    "test_the_events_of_a_consent_say_who_what_when_where_and_how"
)
DAMAGED: Final = (
    "attacks/test_altered_wordings.py::"
    "test_what_nobody_could_read_is_confirmed_once_it_can_be_read_again"
)

REPEAT: Final = "http/test_stamps.py::test_what_was_kept_and_answered_503_is_kept_once"
WAITS: Final = "http/test_stamps.py::test_who_was_told_to_wait_has_spent_nothing"
UNTICKED: Final = f"{_CONFIRM}test_who_unticks_everything_confirms_nothing_and_is_told"
PAGE: Final = "http/test_form_page.py::test_the_hosted_form_proves_who_showed_the_wording"
AWAY: Final = f"{_LINKS}test_while_storage_is_away_nothing_is_answered_as_done"
NOTHING_KEPT: Final = "http/test_form_posts.py::test_what_cannot_be_read_leaves_nothing_behind"
STAMP: Final = "http/test_stamps.py::test_a_stamp_of_another_form_or_day_proves_nothing"
AGAIN: Final = f"{_LINKS}test_confirming_again_shows_what_became_of_it"
ENDS_NOTHING: Final = f"{_STOPS}test_it_ends_nothing_that_somebody_agreed_to"
CORRECTED: Final = f"{_CONFIRM}test_what_becomes_the_persons_is_what_the_mailbox_lets_stand"
_CONTESTED: Final = "attacks/test_contested.py::"
THEIRS: Final = f"{_CONTESTED}test_nothing_of_a_flood_that_came_first_becomes_hers"
UNTICKED_FIRST: Final = f"{_CONTESTED}test_of_what_strangers_asked_for_nothing_is_ticked"
NO_PROOF: Final = f"{_CONTESTED}test_the_proof_says_why_it_is_without_the_request"
CONFIRMATION_AWAY: Final = (
    f"{_CONTESTED}test_nothing_of_a_flood_is_shown_though_what_tells_of_it_is_deleted"
)
SAID_GOES: Final = f"{_OWN}test_who_left_is_told_why_nothing_else_is_shown_of_them"
LETTERS: Final = f"{_OWN}test_an_address_that_cannot_be_written_to_is_told_why"
NOT_USED: Final = f"{_OWN}test_looking_at_a_link_does_not_use_it"
OBJECTED: Final = f"{_OWN}test_an_objection_is_part_of_the_story"
STILL: Final = f"{_CONFIRM}test_after_an_objection_the_page_says_that_it_still_stands"
ASSERTED: Final = "unit/test_policy.py::test_the_consents_give_the_reason"
SWITCHES: Final = f"{_OWN}test_the_preferences_withdraw_at_once_and_ask_for_what_is_new"
COOKIE: Final = f"{_TRUE}test_no_page_sets_a_cookie_but_the_opening_of_ones_own"
PROFILE: Final = f"{_KEPT}test_what_a_form_was_told_goes_with_the_last_consent"
FORGOTTEN: Final = f"{_KEPT}test_the_proof_of_a_withdrawn_consent_is_kept_three_years_and_no_longer"
MONTH: Final = f"{_KEPT}test_a_person_who_never_confirmed_is_gone_after_a_month"
BODIES: Final = f"{_KEPT}test_bodies_and_replies_go_and_what_became_of_the_message_stays"
MAILS: Final = f"{_KEPT}test_the_log_says_of_no_mail_longer_than_its_message_is_kept"
NETWORKS: Final = (
    "contract/test_limit_keys.py::"
    "test_last_weeks_limit_key_is_still_read_and_older_ones_are_destroyed"
)
UNUSED: Final = f"{_KEPT}test_that_a_consent_was_used_is_not_kept_for_one_that_ended"
YEAR: Final = f"{_STOPS}test_a_link_works_for_a_year_and_goes_with_the_person"
NOTICES: Final = (
    "promises/test_every_consent_can_be_proven.py::"
    "test_the_privacy_notice_of_a_wording_is_served_and_hashes_to_its_name"
)
DEMO_AWAY: Final = "http/test_landing.py::test_the_landing_page_stands_while_the_gateway_is_away"
TEXTS: Final = "http/test_form_posts.py::test_each_purpose_needs_its_own_text_in_any_order"
INBOX: Final = "smtp/test_inbox.py::test_a_signature_is_checked"

KEPT_MAIL: Final = (
    "promises/test_it_is_no_weapon.py::"
    "test_of_the_weeks_mails_one_is_kept_for_who_has_not_asked_yet"
)
NEIGHBOURS: Final = (
    "contract/test_sign_up.py::"
    "test_of_the_network_no_more_is_sealed_than_the_limits_of_an_address_ask_for"
)
COUNT_ALONE: Final = (
    "attacks/test_strangers_first.py::"
    "test_a_request_that_nobody_is_asked_about_leaves_a_count_and_nothing_else"
)
FLOODS: Final = (
    "attacks/test_floods.py::test_four_networks_that_flood_two_nodes_keep_no_honest_post_out"
)
LOOKING: Final = (
    "promises/test_looking_changes_nothing.py::"
    "test_looking_at_every_link_in_every_way_changes_nothing"
)
BACK_END: Final = "http/test_signups.py::test_a_back_end_signs_people_up"
RELAYED: Final = "unit/test_claims.py::test_mails_go_where_the_notice_says"
BY_DATE: Final = "contract/test_expire.py::test_the_date_ends_a_consent_however_much_it_is_used"
BY_USE: Final = (
    "contract/test_expire.py::"
    "test_a_consent_that_nobody_used_permits_nothing_before_any_duty_came_by"
)
WHILE_IT_WORKS: Final = (
    "unit/test_consent_retention.py::test_a_link_that_still_works_leads_somewhere_whatever_the_term"
)
OBJECTION_KEPT: Final = (
    "unit/test_consent_retention.py::test_an_objection_is_kept_as_long_as_a_proof"
)
NO_EVIDENCE: Final = f"{_KEPT}test_with_no_evidence_kept_nothing_is_left_after_the_withdrawal"
MARK_GOES: Final = "attacks/test_left_before.py::test_a_mark_that_nothing_waits_for_goes"
ASKED_TO_STAY: Final = "unit/test_consent_retention.py::test_what_a_person_asked_for_keeps_them"
HELD: Final = (
    "unit/test_consent_retention.py::"
    "test_what_ended_after_an_older_consent_of_its_purpose_stays_with_that"
)
_ERASED: Final = "promises/test_erased_is_erased.py::test_"
ERASED: Final = f"{_ERASED}with_nothing_to_keep_nothing_about_the_person_is_left"
RIGHTS_KEPT: Final = (
    "promises/test_nothing_is_kept_longer.py::"
    "test_who_waits_for_an_answer_is_kept_until_it_and_the_request_its_own_term"
)
RIGHTS_SEALED: Final = (
    "contract/test_rights_requests.py::"
    "test_the_reason_is_sealed_and_whoever_opens_it_says_why_and_is_seen"
)
LOCKED: Final = f"{_ERASED}locked_evidence_stays_to_its_date_and_goes_the_same_way"
_OPENED: Final = "contract/test_locked_evidence.py::test_"
OPENED: Final = f"{_OPENED}the_whole_proof_is_opened_under_a_case_and_goes_on_its_date"
NOT_READ: Final = f"{_OPENED}nothing_else_reads_what_is_locked"
ASKED_ANEW: Final = f"{_ERASED}whose_mailbox_is_not_asked_again_the_configuration_decides"
ERASED_FINAL: Final = (
    "promises/test_withdrawal_is_final.py::test_no_mail_is_begun_after_an_erasure_was_answered"
)
_RIGHTS: Final = "http/test_people_rights.py::"
PAUSES: Final = (
    "http/test_people_pace.py::test_a_pause_holds_mails_back_until_its_day_and_ends_nothing"
)
FEWER: Final = (
    "http/test_people_pace.py::"
    "test_who_wants_few_mails_gets_one_in_so_many_days_of_whatever_purpose"
)
RESTRICTS: Final = f"{_RIGHTS}test_who_restricts_gets_no_mail_until_they_lift_it"
RESTRICTED_KEPT: Final = f"{_KEPT}test_who_asked_for_restriction_is_kept"
OBJECTS: Final = f"{_RIGHTS}test_an_objection_ends_everything_and_only_its_mailbox_lifts_it"
NAMED_AGAIN: Final = f"{_RIGHTS}test_nothing_counts_again_that_the_page_did_not_name"
BOTH_STAND: Final = f"{_RIGHTS}test_both_stops_stand_until_each_is_lifted"
ERASES: Final = f"{_RIGHTS}test_an_erasure_takes_two_steps_and_shows_what_it_did"
STOPPED_STAYS: Final = (
    "http/test_certificate_paper.py::"
    "test_what_a_mailbox_had_stopped_stays_as_a_checksum_and_is_named"
)
KEPT_NOTHING: Final = f"{_RIGHTS}test_with_nothing_to_keep_the_page_says_so"
WAITS_FOR_A_HOLD: Final = f"{_RIGHTS}test_who_waits_for_a_hold_is_told_so_and_lifts_nothing"
ERASED_LATER: Final = f"{_RIGHTS}test_what_a_store_that_is_away_leaves_undone_is_said_to_go_on"

_RECTIFY: Final = "http/test_people_rectify.py::"
RECTIFIED: Final = f"{_RECTIFY}test_answers_are_corrected_at_once_and_the_proof_stays"
MOVED: Final = (
    f"{_RECTIFY}test_an_address_changes_once_both_mailboxes_were_written_to_and_the_new_one_said_so"
)
TAKEN_BACK: Final = (
    f"{_RECTIFY}test_the_mailbox_of_before_keeps_its_address_and_takes_it_back_for_two_weeks"
)
STOPS_AGAIN: Final = "attacks/test_stolen_sessions.py::test_a_stop_that_a_thief_lifted_stands_again"
_LIFTED: Final = "http/test_people_lifted.py::"
LIFT_TOLD: Final = f"{_LIFTED}test_a_mail_tells_of_a_lifted_stop_and_its_link_has_it_stand_again"
LIFT_UNDONE: Final = (
    f"{_LIFTED}test_each_lift_is_told_once_and_the_first_link_of_a_week_undoes_all_of_them"
)
LIFT_OUTDOES: Final = f"{_LIFTED}test_another_address_that_was_asked_for_ends_with_the_press"
PAUSE_AS_BEFORE: Final = (
    f"{_LIFTED}test_a_pause_that_was_longer_since_stays_and_one_that_is_over_is_over"
)
BY_THE_DESK: Final = f"{_LIFTED}test_what_the_desk_lifts_is_told_as_theirs"
ADDRESS_LIFE: Final = (
    f"{_RECTIFY}test_a_link_works_for_72_hours_and_the_mailboxes_are_written_to_seldom"
)
ADDRESS_ALONG: Final = f"{_RECTIFY}test_an_objection_goes_along_and_stays"
ADDRESS_ALIKE: Final = (
    "promises/test_another_address_teaches_nothing.py::"
    "test_asking_for_an_address_is_alike_whosever_it_is_and_pressing_moves_nothing"
)
ADDRESS_OUTDONE: Final = f"{_RECTIFY}test_a_second_change_outdoes_the_first_and_an_erasure_both"
OF_A_SENDER: Final = (
    "http/test_all_of_sender.py::"
    "test_by_the_link_of_any_mail_all_of_its_sender_ends_and_nothing_of_others"
)
SENDER_OFF: Final = (
    "http/test_all_of_sender.py::test_in_a_session_everything_of_a_sender_is_switched_off_at_once"
)

TAKEN: Final = (
    "contract/test_takings_away.py::test_every_taking_away_is_in_the_guards_store_before_its_answer"
)
TAKEN_GOES: Final = (
    "contract/test_takings_away.py::"
    "test_it_is_let_go_of_once_no_backup_is_older_and_nobody_misses_it"
)
TAKEN_ALONG: Final = (
    "http/test_export.py::test_everything_that_is_held_is_shown_and_taken_along_and_told"
)
LEFT_OUT: Final = (
    "contract/test_dossier.py::test_a_dossier_is_of_one_person_and_what_is_left_out_is_told"
)
CERTIFIED: Final = (
    "http/test_certificate_paper.py::"
    "test_a_persons_own_page_and_the_api_give_the_paper_with_every_fact_of_the_json"
)
EACH_STATE: Final = "http/test_certificate_paper.py::test_each_state_is_said_as_it_is"
DISPUTE: Final = (
    "contract/test_holds.py::test_a_hold_ends_by_its_date_and_keeps_proof_from_retention_until_then"
)

# By the test of their fact, under `tests/`.
_RECEIPTS: Final = "promises/test_receipts.py::"
PUBLIC_SEAL: Final = (
    f"{_RECEIPTS}test_own_pages_show_the_first_public_checkpoint_that_covers_it_and_no_other"
)
CONVICTS: Final = (
    f"{_RECEIPTS}test_a_log_written_anew_without_the_entry_is_convicted_by_the_receipt"
)
EVIDENCE_SAYS: Final = (
    "http/test_evidence_paper.py::"
    "test_the_paper_says_what_happened_who_served_and_what_is_not_known"
)
EVIDENCE_STATES: Final = "http/test_evidence_paper.py::test_each_end_of_a_consent_is_said_as_it_is"
EVIDENCE_FAULTS: Final = (
    "contract/test_consent_evidence.py::test_what_was_altered_is_named_and_not_shown"
)
EVIDENCE_OLDER: Final = (
    "unit/test_consent_proof.py::test_what_earlier_releases_did_not_record_is_named_as_unknown"
)
EVIDENCE_WITHHELD: Final = (
    "contract/test_consent_evidence.py::"
    "test_while_its_link_can_confirm_nobody_sees_what_the_mail_says"
)
EVIDENCE_TERM: Final = (
    "contract/test_consent_evidence.py::"
    "test_a_consent_that_ended_is_proven_like_one_that_stands_until_its_term_is_over"
)
DEFENDED_ERASED: Final = (
    "contract/test_defend.py::"
    "test_of_who_was_erased_it_reaches_as_far_and_as_long_as_what_is_locked"
)
EVIDENCE_ERASED: Final = (
    "contract/test_consent_evidence.py::"
    "test_of_who_was_erased_it_is_opened_for_a_case_alone_and_until_its_date"
)

PROBE: Final = (
    "http/test_probing.py::test_a_probe_goes_the_way_of_every_mail_and_its_answer_is_repeated"
)
FACTS: Final = {
    PROBE: (
        "A test of the mails of %(sender)s",
        (
            "Somebody who runs the mail system of %(controller)s sent this to your mailbox, to see "
            "that mails of %(sender)s arrive and what the mail server says of them."
        ),
        "It carries no link, and you need not do anything.",
    ),
    f"{_DEFENCE}test_a_mail_of_ours_is_answered_and_told_with_operator_and_reason": (
        "A mail that somebody came with: whether it is ours, and what allowed it.",
        "Somebody came with a mail, such as a warning letter does. Save it with all its header"
        " fields (.eml), and drop it here: the page says whether it is ours, and what allowed it.",
    ),
    f"{_DEFENCE}test_what_is_too_large_is_not_read_and_nothing_is_kept": (
        "Up to 16 MB. It is read, answered, and not kept.",
    ),
    f"{_SENT}test_a_days_messages_stand_there_by_purpose_state_and_reason_and_to_nobody": (
        "The messages that were accepted on a day, and what became of each. No address is shown"
        " here.",
        "A message that was refused when it was handed in is not kept, and so is not here; the log"
        " has that it was.",
        "Messages by purpose, state and reason; what waits, and what stands aside.",
        "No such message was accepted then.",
        "Accepted %(moment)s",
        "ended %(moment)s",
        "Is being sent",
    ),
    f"{_SENT}test_what_waits_and_what_stands_aside_is_said_and_why": (
        "%(num)s message has not ended.",
        "The first is due since %(moment)s.",
        "%(num)s row of %(table)s stands aside",
        "No row stands aside: everything can be worked off.",
        "It cannot be read: treat that as an intrusion.",
        "It is not what the gateway wrote: treat that as an intrusion.",
        "Its attempts do not fit what was permitted: treat that as an intrusion.",
        "Its key is missing.",
        "Its link to leave by is missing.",
        "Its occasion is of another release.",
        "Its purpose is not in the configuration any more.",
        "Its sender is not in the configuration any more.",
        "Its wording is missing or damaged.",
        "Working it off failed; the gateway's own log names the error.",
        "Whoever runs the gateway learns what to do by: gateway doctor",
    ),
    f"{_SENT}test_a_day_that_there_is_none_of_is_said_so": ("There is no such day.",),
    f"{_LOG}test_a_day_is_a_story_and_is_filtered_by_kind_and_minute": (
        "A day as a story, what its last verification came to, and files for an authority.",
        "Nothing of that happened then.",
    ),
    f"{_LOG}test_what_there_is_no_day_minute_or_kind_of_is_said_so": (
        "There is no such day, minute or kind.",
    ),
    f"{_LOG}test_what_the_last_verification_came_to_is_said_in_words": (
        "It was not verified by itself yet. The first time is in the night after it began.",
        "Verified %(moment)s: all well, %(num)s entry.",
        "Every entry was looked at %(moment)s, and what is newer since.",
        "The verification failed",
        "Verified %(moment)s: %(num)s fault.",
        "The first is at entry %(index)s.",
        "Whoever runs the gateway sees each by: gateway audit verify",
    ),
    f"{_LOG}test_an_authority_gets_its_month_under_the_number_of_its_case": (
        "For an authority: it says which events are the same person's, under names of this export"
        " alone.",
        "It names nobody, and does not say which events are the same person's.",
        "It stands in the log for ever, and must name nobody.",
        "That it was taken out, by whom and as what, is in the log before the file begins. What it"
        " holds of one person is had from their page.",
    ),
    f"{_LOG}test_what_makes_no_sense_is_not_taken_out_and_said_why": (
        "An authority's case needs its number: letters, digits and . _ / : + = -, with at least one"
        " digit.",
        "That cannot be a paper: it would be too long, or it is for an authority. Please choose"
        " another file.",
        "The last day must not be before the first.",
    ),
    f"{_LOG}test_what_the_log_holds_of_a_person_is_had_with_a_reason": (
        "What the log holds, as a bundle that checks itself",
    ),
    f"{_LOG}test_wordings_and_notices_say_how_many_consents_rest_on_each": (
        "%(num)s consent rests on it.",
        "%(num)s request waits.",
        "Confirmed from %(first)s to %(last)s.",
        "Everything that anybody was asked to agree to, word for word. Counted are confirmed"
        " consents that stand.",
        "What people agreed to, and how many consents rest on each.",
        "Nothing was published yet.",
        "Published %(moment)s",
        "Retired %(moment)s",
    ),
    f"{_TAKEN}test_an_export_is_made_aside_and_fetched_once_which_is_told_once": (
        "Each is made by itself, also if you leave this page. The file is handed over once, to you"
        " alone, and is deleted after that, or a day after it was made.",
        "Is ready, and is kept until %(moment)s.",
        "Size: %(size)s MB.",
        "This file is not there to be fetched: below is what became of it.",
        "This file was fetched %(moment)s by %(who)s, and is handed over once. Make it again to"
        " have it another time: that is told in the log too.",
        "Waits for its turn.",
        "Was fetched %(moment)s by %(who)s.",
    ),
    f"{_TAKEN}test_a_page_that_may_stay_as_it_is_does_not_look_again_by_itself": (
        "This page looks again by itself every few seconds.",
        "This page stays as it is.",
    ),
    f"{_TAKEN}test_of_who_is_erased_meanwhile_nothing_is_handed_over": (
        "The person was erased meanwhile: nothing is left to hand over.",
    ),
    f"{_TAKEN}test_what_was_interrupted_goes_on_with_the_same_bytes_and_says_so": (
        "It was interrupted, and went on where it was.",
    ),
    f"{_TAKEN}test_what_cannot_go_on_with_the_same_bytes_is_begun_anew_and_says_so": (
        "It was interrupted, and was begun anew.",
    ),
    f"{_TAKEN}test_what_is_being_made_says_how_far_it_is_and_can_be_cancelled": (
        "Is being made.",
        "Is being made: %(done)s of %(whole)s entries.",
        "Was cancelled.",
    ),
    f"{_TAKEN}test_what_comes_to_too_much_or_cannot_be_made_says_what_to_do": (
        "It came to more than 2 GiB. Choose a shorter time or another file, or have it by: gateway"
        " audit export",
        "It could not be made. Whoever runs the gateway finds why in its log; you can have it tried"
        " again.",
        "That is too much for a paper. Choose another file, or a shorter time.",
    ),
    f"{_TAKEN}test_only_a_few_may_wait_to_be_fetched_and_each_for_a_day": (
        "Nobody fetched it within a day, and it was deleted.",
        "Nothing was begun: %(most)s of your exports are being made or wait to be fetched. Fetch or"
        " cancel one first.",
        "Nothing was begun: the files that wait to be fetched take all the room that there is for"
        " them. Fetch or cancel yours, or have it later.",
        "You asked for none in the last thirty days.",
    ),
    f"{_HOLDS}test_a_hold_is_placed_and_lifted_each_at_the_second_step": (
        "What proves this person's consents is kept for a dispute: an erasure waits until the hold"
        " ends, and restricts at once. Mails go on as they are.",
        "The hold stands. An erasure waits for it, and restricts at once.",
        "The hold is lifted.",
        "As things stand this person is held until %(day)s.",
        "Placed %(moment)s, until %(day)s",
        "The reason is not kept any more.",
    ),
    f"{_HOLDS}test_a_hold_without_a_dispute_and_a_day_to_come_is_not_placed": (
        "Please say which dispute, in one line, and a day that is not over.",
    ),
    "contract/test_holds.py::"
    "test_an_erasure_under_a_hold_restricts_at_once_and_comes_when_it_is_lifted": (
        "An erasure that waits for this hold is then carried out by itself, unless another one"
        " stands. That cannot be undone.",
    ),
    f"{_HOLDS}test_a_restriction_is_lifted_at_the_second_step_and_names_the_operators_way": (
        "What the person agreed to counts again, and mails under it start again. Do it only because"
        " they asked for it, or because you told them that you lift it (Art. 18(3) GDPR).",
        "The restriction is lifted. What the person agreed to counts again.",
        "Nothing was changed: it does not stand any more, or an erasure waits.",
    ),
    f"{_CASES}test_a_case_that_came_by_letter_is_written_down_and_answered_in_one_click": (
        "It is written down. Nothing else was done yet.",
        "It is answered.",
        "It is kept sealed, under the person's own key.",
        "It is kept sealed, under the person's own key. Nothing is sent by this: you hand over the"
        " file.",
        "The month in which it must be answered counts from that day on.",
        "What people ask for by right, and by when it is due.",
    ),
    f"{_CASES}test_what_waits_is_listed_as_it_is_due_and_without_an_address": (
        "What people asked for by right and wait for, in the order in which it is due. No address"
        " is shown here.",
        "Nobody waits for anything.",
        "Less than a day left",
        "Overdue",
        "%(num)s day left",
    ),
    f"{_CASES}test_of_nobody_nothing_is_written_down_and_the_log_has_it": (
        "Nobody is known by this address: nothing was written down. That you asked is in the audit"
        " log.",
    ),
    f"{_CASES}test_a_decision_takes_a_second_step_and_a_reason": (
        "It has more time.",
        "It is refused.",
        "It was decided, or has its extension, before. Nothing was changed.",
        "Please write what the person is told, in at most 4000 characters.",
        "That this case is answered is written down for good. Nothing is done or sent by it.",
        "That this case is refused is written down for good. The person must be told within the"
        " month, with the reason and that they may complain (Art. 12(4) GDPR). Nothing is sent by"
        " it: you tell them.",
        "It shows first what will happen. Then come back, and say that it is answered.",
    ),
    f"{_CASES}test_more_time_is_offered_and_taken_within_the_first_month_alone": (
        "It is then due on %(moment)s. That can be done once, within the first month, and the"
        " person must be told within it, with the reason (Art. 12(3) GDPR). Nothing is sent by it:"
        " you tell them.",
        "The first month is over: more time can be taken within it only (Art. 12(3) GDPR).",
    ),
    f"{_CASES}test_an_erasure_is_answered_by_the_act_and_its_certificate_is_at_hand": (
        "It shows first what will happen. The erasure answers this case by itself.",
        "It is done; its certificate names nobody.",
        "It has begun, and is not done yet. The paper says how far it has come.",
        "Who asked to be forgotten is answered by the erasure, and by nothing else.",
    ),
    f"{_DESK}test_a_stranger_gets_the_answer_of_an_operator_and_no_mail": (
        "The link goes only to mailboxes of those who were entered here. The answer is the same"
        " for every address.",
    ),
    f"{_DESK}test_a_link_works_once_for_half_an_hour": (
        "This link opens nothing any more: it works once, and not for long.",
        "If that mailbox may open the desk, a link is on its way. It works once, and for half an"
        " hour.",
        "It works once, and for half an hour.",
        "The link works once, and for half an hour.",
        "The link works once, and for half an hour. If the button does nothing, copy this address"
        " into your browser:",
        "For whoever answers for the data here, or audits that. There is no password: we send a"
        " link to your mailbox.",
        "Somebody, most likely you, wants to sign in to the data protection desk of"
        " %(controller)s. This link opens it:",
    ),
    f"{_DESK}test_a_session_ends_half_an_hour_after_the_last_step_and_after_eight_hours": (
        "With the button you open the desk on this device. It closes half an hour after your last"
        " step, and after 8 hours in any case. That you came is written into the audit log.",
        "You are here as %(name)s, until %(moment)s: half an hour after your last step, 8 hours at"
        " most.",
    ),
    f"{_DOOR}test_who_the_provider_says_it_is_sits_at_the_desk_in_our_role": (
        "For whoever answers for the data here, or audits that. There is no password here: you"
        " sign in where you do already, or by a link to your mailbox.",
        "An operator was bound to their account at the identity provider",
    ),
    f"{_DOOR}test_where_the_provider_is_away_the_door_says_so_and_the_mail_works": (
        "%(provider)s does not answer at the moment. A link to your mailbox opens the desk, too.",
        "%(provider)s does not answer as it should. Nothing was opened.",
        "Whoever may open the desk gets there by a link to their mailbox, too.",
    ),
    f"{_DOOR}test_looking_at_the_way_back_changes_nothing": (
        "%(provider)s has sent you here. You did not sign in there? Then close the page; without"
        " the button nothing happens.",
    ),
    f"{_DOOR}test_an_attempt_ends_after_ten_minutes": (
        "It was begun in another browser, was used already, or took longer than ten minutes."
        " Nothing was opened.",
    ),
    f"{_DOOR}test_who_declined_there_is_told_so_in_our_words": (
        "%(provider)s sent you back without having signed you in. Nothing was opened.",
    ),
    f"{_DOOR}test_everybody_else_gets_one_page_and_no_session": (
        "%(provider)s has said who you are, and nobody who may open the desk goes by that account."
        " Nothing was opened.",
        "Whoever runs this gateway enters people, by their mailbox, and revokes them. Your"
        " provider must say that it checked that mailbox, and it must be the account that you came"
        " by first.",
    ),
    f"{_CODES}test_a_token_that_is_not_of_this_attempt_lets_nobody_in": (
        "What %(provider)s answered is not for this attempt, or not as it must be. Nothing was"
        " opened.",
    ),
    f"{_DESK}test_nobody_floods_an_operators_mailbox": (
        "To one mailbox at most five such links go within half an hour.",
    ),
    f"{_DESK}test_signing_in_and_out_are_events_and_the_rows_fit_the_log": (
        "An operator signed out",
    ),
    "attacks/test_planted_operators.py::test_a_revoked_row_put_back_whole_opens_nothing": (
        "An operator was revoked",
    ),
    "contract/test_staff.py::test_who_looks_who_an_operator_is_is_told": (
        "Who an operator is was looked at",
    ),
    f"{_DESK}test_who_was_revoked_long_ago_is_nobody_to_anybody": (
        "Who an operator was is destroyed",
    ),
    f"{_DESK}test_each_role_is_answered_what_it_may_and_nothing_else": (
        "You can look, and change nothing.",
        "Your role opens no personal data. Whoever answers for the data, or audits that, has a"
        " role of their own.",
    ),
    f"{_DESK}test_every_answer_with_personal_data_is_told_before_with_operator_and_reason": (
        "One line, such as a case number. It is kept with the person's data, sealed.",
        "Why you look: %(why)s. That stands in this person's trail.",
    ),
    f"{_DESK}test_what_a_person_takes_along_says_who_looked_and_why": (
        "Look a person up. What they take along from their own pages says that somebody looked,"
        " when, and why.",
    ),
    f"{_DESK}test_looking_for_nobody_is_told_too_and_looking_without_a_reason_shows_nothing": (
        "Nobody is known by this address. That you looked is in the audit log.",
        "Please say why, in one line of at most 200 characters.",
    ),
    f"{_DESK}test_what_came_by_phone_is_done_at_the_second_step_alone": (
        "Each shows first what it does; nothing happens before you say yes.",
        "No mail for the purpose “%(purpose)s” starts any more, from the answer on. It cannot"
        " be undone here: only the person can agree anew.",
        "No mail that was agreed to starts any more. Consents stand, and count again once the"
        " person lifts the restriction on their personal pages.",
        "No advertising to this person starts any more, and nobody can have their mailbox asked"
        " to confirm, for 12 months. The person lifts it on their personal pages.",
        "Restricted. No mail that was agreed to starts any more.",
        "The objection is stored. No advertising to this person starts any more.",
        "Withdrawn. None of these mails starts any more.",
    ),
    f"{_DESK}test_an_erasure_at_the_desk_forgets_the_person": (
        "No mail to this person starts any more, and their keys are destroyed. It cannot be"
        " undone.",
        "The erasure began: no mail to this person starts any more. The rest is done by itself.",
        "No proof of a consent stays.",
        "What proves their consents stays locked until %(day)s, and goes then by itself.",
    ),
    f"{_BREACH}test_a_breach_is_told_in_the_log_with_operator_and_file_number_alone": (
        "It was worked out what a breach reached",
        "Each file is worked out anew, and told in the log.",
    ),
    f"{_BREACH}test_what_was_typed_stands_in_the_drafts_and_nowhere_else": (
        "Both stand in the drafts alone, and are not kept.",
    ),
    f"{_BREACH}test_a_stolen_laptop_says_whose_data_was_on_it_and_drafts_both_notices": (
        "A laptop stolen, a backup lost: whose data it is, whether it reads, and what to tell"
        " by when.",
        "Say what was taken, lost or seen. At once you have whose data it is, whether it reads,"
        " by when the authority must be told, and first drafts of what to tell.",
    ),
    f"{_BREACH}test_a_backup_holds_data_and_keys_that_open_with_the_keyring_alone": (
        "A backup holds data and key store. One that was made for a recipient (age) counts only"
        " where its identity was taken, too.",
    ),
    f"{_PAPERS}test_each_paper_is_of_the_configuration_that_runs_as_page_and_pdf": (
        "Made of the configuration that runs, at this moment. What the law wants and the"
        " configuration lacks is named in each.",
        "Record of processing, measures, processors and privacy notice, of the configuration"
        " that runs.",
    ),
    f"{_PAPERS}test_the_measures_say_what_is_so_and_name_what_is_missing": (
        "Art. 32 GDPR: what is so now, and what is missing.",
    ),
    f"{_CASES}test_what_is_decided_is_listed_the_last_first_and_page_by_page": (
        "What was asked for by right and is decided, the last first. No address is shown here.",
    ),
    f"{_DESK}test_under_a_hold_an_erasure_waits_and_restricts": (
        "A hold stands until %(day)s: the person is restricted now, and is erased once it ends.",
        "A hold stands: the person is restricted now, and is erased once it ends.",
    ),
    "promises/test_checkpoint_mails.py::test_the_mail_that_was_kept_convicts_a_log_written_anew": (
        "Please keep this mail, outside the system that it comes from.",
        "Please keep this mail, outside the system that it comes from. It carries the seal of the"
        " audit log of %(controller)s, as of %(day)s.",
        "That log says who agreed to be mailed, and what was done with it. By this seal you can"
        " show later whether any of its first %(size)s entries was altered, removed or dated back"
        " since, also by somebody who has every key.",
        "To check an export of the log by it, save this mail as a file, and run the program that"
        " lies in the export. It needs no network and nothing else of ours",
        "If it says FAILED, the log is another one than was sealed here: ask why. Ask too if these"
        " mails stay away.",
        "A public checkpoint went out by mail, to be kept",
    ),
    "promises/test_checkpoint_mails.py::test_it_carries_the_public_checkpoint_and_nobody": (
        "Nothing in this mail is about any person whom the log knows.",
        "The keys of the log, for a file of yours with the name KEYS.txt. The operator publishes"
        " the same",
    ),
    "http/test_audit_paper.py::test_a_damaged_log_is_said_to_be_so_first": (
        "Entries that cannot be read, and are not told of here: %(number)s.",
        "The check FAILED: the log was altered, or is damaged. The first fault:",
    ),
    "http/test_audit_paper.py::test_a_report_tells_in_sentences_what_happened_and_names_nobody": (
        "The bundle of the same entries was made and checked: it is sound.",
        "This paper is for reading, and proves nothing by itself. What proves is the bundle named"
        " below: it brings its own verifier, which needs nothing of ours but the log's public"
        " key, and that you should have from elsewhere.",
        "Beside these there are %(number)s cover entries, which tell of nothing: they hide from"
        " strangers how much happens.",
        "It retells in sentences what the audit log holds, in the order of the log. Entries name"
        " nobody: what they say about people is sealed, and is opened only in an export about one"
        " person, for a reason that is recorded.",
    ),
    "http/test_audit_paper.py::test_a_report_about_a_person_has_what_was_opened": (
        "It retells in sentences what the audit log holds of one person, with the facts that were"
        " opened for it. That they were opened, by whom and why, stands in the log itself. These"
        " are personal data: keep them safe.",
    ),
    "promises/test_evidence_convinces_strangers.py::"
    "test_an_operator_with_every_key_who_rewrites_is_convicted_by_an_older_checkpoint": (
        "Signed: all entries lead, by their hashes, to a checkpoint that the log's key signed."
        " Nobody without that key altered, added, removed or reordered anything. Whoever holds it"
        " could have written the whole log anew: what shows that is a checkpoint kept by somebody"
        " else.",
        "Held outside: all entries lead, by their hashes, to a checkpoint that the log's key"
        " signed, and they continue a checkpoint that was kept elsewhere. Entries before that"
        " could be rewritten only together with whoever kept it.",
        "Witnessed: all entries lead, by their hashes, to a checkpoint that the log's key signed,"
        " and independent witnesses signed one, too. Entries before that could be rewritten only"
        " together with them.",
    ),
    "contract/test_bundle.py::test_what_is_erased_or_may_not_be_shown_is_said_to_be_there": (
        "That something happened which was never written down, no log can rule out; and what was"
        " erased, as the law demands, cannot be opened any more.",
    ),
    PUBLIC_SEAL: (
        "none covers this entry yet; there is a new one every day",
        (
            "Once a day the log gets a public seal. Your personal pages show the first one that "
            "covers the entry."
        ),
    ),
    CONVICTS: (
        (
            "Keep these lines. If the entry of our audit log that says so were changed or taken "
            "out later, a check of the log against them would show it."
        ),
        (
            "Entry and checksum say where in our audit log it stands; the seal is published to "
            "everybody. Keep these lines: if the entry were changed or taken out later, a check "
            "of the log against them would show it."
        ),
    ),
    "contract/test_drill.py::test_an_exercise_shows_that_nobody_comes_back": (
        (
            "A backup of this gateway was put back beside it and checked, and it was tried "
            "whether somebody who was erased comes back with it."
        ),
        "The exercise was passed.",
        "The exercise was not passed.",
        "The files are those that the backup was written with, by their hashes.",
        (
            "The audit log continues to its checkpoint, every row fits it, and everybody who is "
            "known has their keys."
        ),
        (
            "An invented person signed up in the copy, and was erased there; their keys were "
            "destroyed."
        ),
        "The data from before the erasure was put back, and names them again.",
        "What was kept about them could not be read with any key that was left.",
        (
            "By its guard the gateway noticed that the data was put back; it serves and sends "
            "nothing then."
        ),
        "The verification named the person as somebody whose row was put back.",
        (
            "Nothing of this was done where people are served; the audit log says that the "
            "exercise was held."
        ),
    ),
    UNCOVERED: (
        "It does not cover the mails of today: nobody is mailed under it.",
        (
            "Since then the sender or this text has changed. Under what is shown here we send you "
            "no mails; confirming does not change that. Please sign up anew."
        ),
    ),
    NOTHING_TO_STOP: (
        (
            "We forget a link after twelve months, and sooner a mailbox that confirmed nothing: "
            "then there was nothing to stop. If such mails still come after that, please use the "
            "link in the newest one."
        ),
    ),
    ANEW: (
        "You agreed to mails, in these words:",
        (
            "You agreed to mails. Since then the wording, or who sends them, has changed. With "
            "your yes you agree to this:"
        ),
        (
            "Since then the wording, or who sends these mails, has changed. Under what you "
            "agreed to we send you no such mails any more. If you want them all the same, "
            "please agree to this:"
        ),
        "What you agreed to has changed",
        (
            "You can withdraw your yes at any time, by the unsubscribe link in every mail, "
            "without login."
        ),
        "our question, after the wording or who sends these mails had changed",
    ),
    DECLINED: (
        (
            "What we asked for has ended, and so has what you agreed to before. We start no "
            "such mail any more, unless you sign up anew."
        ),
        "You can withdraw what you agreed to here as well:",
        "Your no is stored",
    ),
    NEVER_ME: (
        (
            "If you never agreed to these mails, choose “This was not me”: that ends them in "
            "the same way, and nobody can have confirmation mails sent to your address through "
            "a form for twelve months."
        ),
        "What had been agreed to for these mails before has ended, too.",
    ),
    UNANSWERED: (
        (
            "Then you need not do anything: without your yes we send you no such mails, and we "
            "do not ask for this again. With “No” behind the link you also end what you agreed "
            "to before."
        ),
        "Without your yes we send you no such mails.",
        (
            "“No” also ends what you agreed to before: then we start no such mail, unless you "
            "sign up anew. If you do not answer, we send you no such mails either, and do not "
            "ask for this again."
        ),
    ),
    ANEW_OVER: (
        "The link works for two weeks, so that a forgotten mail cannot sign anybody up later.",
        "The link works for two weeks.",
        (
            "The link works for two weeks. If the button does nothing, copy this address into "
            "your browser:"
        ),
    ),
    OVER: (
        (
            "A confirmation link works for 72 hours after the sign-up, so that a forgotten mail "
            "cannot sign anybody up later."
        ),
        (
            "Nobody can confirm by this link any more. A consent already confirmed still "
            "stands; withdraw it here:"
        ),
        "The link in the mail works for 72 hours after the sign-up. You may close this page.",
        "The link works for 72 hours after the sign-up.",
        (
            "The link works for 72 hours after the sign-up. If the button does nothing, copy "
            "this address into your browser:"
        ),
        "This link has expired",
    ),
    FINAL: ("A message that had already left us may still arrive.",),
    HINDERED: (
        "As things stand we may not send you such mails; confirming does not change that.",
        (
            "One of our mails to this mailbox was reported as unwanted. We send it no such "
            "mails any more; confirming does not change that."
        ),
        "These mails are not sent any more.",
        (
            "You had the use of your data restricted. That still stands; confirming does not "
            "lift it, and we send you no such mails."
        ),
        "Your confirmation is stored. Even so we do not write to you:",
        (
            "Your mailbox refused our mails for good. We send it no such mails any more; "
            "confirming does not change that."
        ),
    ),
    PROVEN: (
        "Because somebody with access to your mailbox agreed to it, in these words:",
        "Confirmed, by the button behind the link in that mail.",
        "Our script showed the wording.",
        "The mail that asks to confirm was sent.",
        "confirmed by a link that we sent to your mailbox",
        (
            "Your address was given to us to receive mails. With your confirmation you agree to "
            "this:"
        ),
    ),
    LEAVES: (
        "Changed your mind? Every mail carries an unsubscribe link: no login, no questions.",
        "Every letter carries a link to unsubscribe, without login and without questions.",
        "The unsubscribe link in every mail ends it, without login and without questions.",
        "To stop a kind of mail, use the unsubscribe link in any of them, without login.",
        (
            "Use the unsubscribe link in the mail and the button behind it: no login, in force "
            "at once. Where your mail program has an unsubscribe button, that does the same."
        ),
        (
            "You can withdraw your consent at any time with effect for the future, by the "
            "unsubscribe link in every mail or by a message to the controller."
        ),
    ),
    STORY: (
        "Ended by itself: its time was over, or nothing was sent under it for long.",
        "Ended without a confirmation.",
        (
            "Every request made with your address that we still keep, what became of it, and "
            "what we keep as proof."
        ),
        (
            "See what we keep about you, what you agreed to and when, and change what you "
            "receive. There is no account: we send a link to your mailbox."
        ),
        "The mail server we handed it to accepted it:",
        "We keep no request made with your address.",
        "Withdrawn.",
    ),
    NEUTRAL: (
        (
            "Except for mails that ask first, we write only to people who asked for it and "
            "confirmed it by a link that we sent to their mailbox. To this link we hold no "
            "further information, or no longer."
        ),
        (
            "Mails get forwarded, therefore this page names no dates and no address. To see "
            'everything, <a href="%(url)s">have a personal link sent to your mailbox</a>.'
        ),
        (
            "Mails get forwarded, therefore this page shows only one kind of mail. To see "
            'everything, <a href="%(url)s">have a personal link sent to your mailbox</a>.'
        ),
        (
            "To this link we hold no settings, or no longer. The link in the newest mail leads "
            "to the current ones."
        ),
    ),
    STOPPED: (
        (
            "For twelve months, nobody can have mails sent to this mailbox through our forms: "
            "neither those that ask to confirm a sign-up, nor those with a personal link."
        ),
        (
            "If we still know whose link this is, nobody can have confirmation mails or "
            "personal links sent to this mailbox through our forms any more, for twelve months "
            "from now."
        ),
        (
            "Meanwhile nobody can sign up with this address through a form, and that includes "
            "you. To see what we keep about you, or to change your mind, write to %(contact)s."
        ),
        "Stop them for twelve months",
    ),
    SWITCH: (
        (
            "What you switched on begins once you confirm it by the mail that asks. Only a few "
            "such mails are sent per week."
        ),
        "If you have agreed to other mails from us, those are not affected.",
        (
            "Switch off what you no longer want. What you switch on begins when you have "
            "confirmed it by mail."
        ),
        "What you switched off has ended at once.",
        "Saved.",
    ),
    ONCE: (
        (
            "It has been used, or is too old: for your protection it works once, and only for 15 "
            "minutes."
        ),
        "It works once, and for 15 minutes.",
        "The link works once, and for 15 minutes.",
        (
            "The link works once, and for 15 minutes. If the button does nothing, copy this "
            "address into your browser:"
        ),
        "The link works once, and for 15 minutes. You may close this page.",
    ),
    ONLY_ASKS: (
        (
            "From here we send mails to people who asked for them. A mail asks first whether it "
            "was really them; before that, confirmation mails only."
        ),
        (
            "Leave your address and confirm it by the link in the mail that we send there. "
            "Before that we send confirmation mails only."
        ),
        (
            "No letter without your confirmation. A sign-up by somebody else ends in your "
            "mailbox, unanswered."
        ),
        "Nothing begins before you confirm.",
        (
            "One step is left: open the mail we send you and confirm that the address is yours. "
            "Before that we send confirmation mails only."
        ),
        "You confirm by mail before the first one is sent.",
        "none: it was never confirmed, and permits no mail",
    ),
    PURPOSE: (
        "From now on we may write to you, for exactly this and nothing else:",
        "We write only about what you agreed to.",
        "You receive this mail because you agreed to receive it.",
        "You receive this mail because you agreed to “%(title)s”.",
    ),
    ASKED_AGAIN: (
        (
            "If a new mail can be sent, it usually arrives within a few minutes, in the same "
            "mailbox as the first one."
        ),
        "If you still want the mails, have a new link sent to the same mailbox.",
    ),
    WITHDRAWS: (
        (
            "If this link belongs to a consent, it is withdrawn. From now on we start no "
            "further mail under it."
        ),
        (
            "If this link belongs to a consent, you withdraw it with the button: at once, "
            "without login, and without giving a reason."
        ),
    ),
    LEFT: (
        (
            "A mail then asks you to confirm, at the mailbox that we have for this link. None "
            "of these mails is started before you do."
        ),
        (
            "No consent to these mails stands any more. From now on we start none of them, "
            "unless you agree to them anew."
        ),
        (
            "No consent to these mails stands at present, so we start none of them. With the "
            "button you can withdraw once more, to be sure."
        ),
        (
            "With the button you withdraw every consent to these mails: at once, without login,"
            " and without giving a reason."
        ),
    ),
    NOT_MAILED: (
        "Not mailed: you had the use of your data restricted.",
        "Not mailed: you objected to advertising.",
        "Not mailed: one of our mails to this mailbox was reported as unwanted.",
        "Not mailed: your mailbox refused our mails for good.",
        "Not mailed: the sender or this text has changed since then.",
        "Not mailed: these mails are not sent any more.",
        "Not mailed, as things stand.",
    ),
    AGAIN_ASKED: (
        (
            "By a link in one of our mails, somebody, most likely you, asked to receive mails"
            " from %(sender)s. Please confirm that this was you, and that you agree to the "
            "following:"
        ),
        (
            "By a link in one of our mails, somebody, most likely you, asked to receive "
            "mails. With your confirmation you agree to this:"
        ),
        (
            "If this mailbox may be asked, a mail that asks you to confirm usually arrives "
            "there within a few minutes. None of these mails is started before you do."
        ),
        "Our mail shows the wording, and so does the page behind its link.",
        "“Ask me again”, behind a link in a mail",
    ),
    WHY_SO: (
        (
            "As things stand this permits no mail: it was withdrawn or has ended, or something "
            "else stands against it. We start no such mail."
        ),
        "Somebody with access to your mailbox had agreed to such mails, in these words:",
    ),
    SELDOM: (
        (
            "Only a few such mails are sent: after one that nobody confirms, the next a day "
            "later at the earliest, then after seven days, then after thirty."
        ),
    ),
    UNASKED: (
        (
            "None is sent where an objection, a restriction, “This was not me” or “Stop these "
            "mails” holds."
        ),
        "You lift an objection or a restriction on your personal pages.",
    ),
    TOLD: (
        "One mail may tell you of your withdrawal.",
        (
            "The consent to these mails was withdrawn. We start none of them any more, unless "
            "you agree to them anew:"
        ),
        "You need not do anything. If you do nothing, it stays as it is.",
        "Your withdrawal is stored",
    ),
    ALIKE: (
        (
            "If we keep anything about this address, a mail with your personal link usually "
            "arrives there within a few minutes."
        ),
        (
            "The link goes to that mailbox only, works once, and for 15 minutes. No stranger "
            "learns whether an address is known here."
        ),
        (
            "Then you need not do anything: whoever asked has learned nothing, and the link "
            "ends by itself."
        ),
    ),
    REPEAT: ("It is not your fault. Please try again in a few minutes; repeating is safe.",),
    WAITS: (
        (
            "Many requests came from your network. Nothing was stored; please try again a "
            "little later."
        ),
    ),
    NO_PIXEL: (
        "No hidden images, no rewritten links. Whether you read the letter stays your business.",
        (
            "Our mail system adds no tracking pixels or links, and takes out images that are "
            "marked as hidden or as a pixel in size."
        ),
    ),
    METERED: (
        (
            "To the same mailbox the next link goes a day later at the earliest, and at most "
            "five in thirty days."
        ),
        (
            "No mail? Then we may know nothing about this address, or one was sent not long "
            "ago: there is at most one a day and five a month, and fewer where nothing was ever "
            "confirmed. Or the mailbox has stopped such mails."
        ),
    ),
    WEEK: (
        (
            "Nothing there after a few minutes? Look into the spam folder. If this address is "
            "already signed up, was asked several times within a week, or has stopped such "
            "mails, no further mail is sent."
        ),
        (
            "To protect mailboxes from being flooded, only a few of these mails are sent per "
            "week. If none arrives, please sign up again later."
        ),
    ),
    UNTICKED: (
        (
            "Nothing was ticked, so nothing was confirmed. Tick what you want, or choose “This "
            "was not me”."
        ),
    ),
    PAGE: (
        "Our own page showed the wording.",
        "That the wording was shown is what the page's operator says.",
    ),
    AWAY: (
        (
            "Please try again in a moment. Your request may not have been stored yet; repeating "
            "it is safe."
        ),
    ),
    TWO: (
        "Sender: %(name)s",
        (
            "This address was entered to receive mails from %(sender)s. Please confirm that "
            "this was you, and that you agree to the following:"
        ),
    ),
    NOTHING_KEPT: ("The form did not go through yet. Nothing was stored.",),
    STAMP: ("The form was open for too long. Please send it once more.",),
    SPELLINGS: (
        (
            "The request has been stopped, and no further mail is started for it. For the next "
            "twelve months nobody can have confirmation mails sent to your address through our "
            "forms."
        ),
    ),
    BLOCKS: (
        (
            "You can withdraw at any time, by the unsubscribe link in every mail, without "
            "login. If it was somebody else, choose “This was not me”: then nobody can have "
            "confirmation mails sent to your address through a form for twelve months."
        ),
        (
            "Then you need not do anything: before a confirmation we send confirmation mails "
            "only. If for twelve months nobody is to be able to ask for this again with your "
            "address through a form, open the link and choose “This was not me”."
        ),
        (
            "You can withdraw at any time, by the unsubscribe link in every mail, without "
            "login. If somebody else entered your address, choose “This was not me”: then "
            "nobody can have confirmation mails sent to it through a form for twelve months."
        ),
    ),
    AGAIN: (
        "There is nothing left to confirm. This is what became of it:",
        "There is nothing left to do. This is what you agreed to:",
        "You have already confirmed",
        "Thank you, confirmed",
        "Rejected.",
    ),
    HALF_AN_HOUR: (
        (
            "If your pages are still open in this browser, the button leads there; else you "
            "ask for a new link there."
        ),
        (
            "These pages close by themselves after half an hour. On a machine that is not "
            "yours, close them now:"
        ),
        (
            "This link is for you alone. With the button you open your personal pages for half "
            "an hour, on this device."
        ),
        (
            "Somebody, most likely you, asked %(controller)s to show what is kept about this "
            "address. This link opens it:"
        ),
    ),
    ENDS_NOTHING: (
        (
            "This ends nothing that you agreed to. To leave, use the unsubscribe link in those "
            "mails."
        ),
    ),
    LOOKS: (
        (
            "This is what we keep about you to write to you. It is encrypted. Each opening by "
            "link is recorded."
        ),
    ),
    DAMAGED: (
        (
            "This wording cannot be shown at the moment: what we keep of it is damaged. Please "
            "come back later, or write to us."
        ),
    ),
    CORRECTED: (
        (
            "Typed by whoever signed you up, perhaps you yourself. Correct it, or empty what "
            "shall not count. The proof of this request keeps what was typed."
        ),
    ),
    THEIRS: (
        (
            "Somebody else may have made this sign-up, so nothing that was entered with it is "
            "shown or kept. Type here what you want us to know."
        ),
    ),
    UNTICKED_FIRST: (
        ("Somebody else may have made this sign-up, so nothing is ticked yet. Tick what you want."),
    ),
    SAID_GOES: (
        (
            "What else you enter in a form goes as soon as no consent of yours stands any more; as "
            "part of the proof it is kept as long as that."
        ),
    ),
    LETTERS: (("We cannot mail this address (no ä or é before the @). Example: name@example.org"),),
    CONFIRMATION_AWAY: (
        (
            "What tells of your confirmation is missing. Somebody else may have made this request, "
            "so nothing of it is shown."
        ),
    ),
    NO_PROOF: (
        (
            "Your mailbox was asked for more often at that time than we send mails, and the "
            "confirmation did not visibly come from where this request was made. So its page, "
            "its moment and what was entered are no part of the proof. Our own page behind the "
            "link showed the wording."
        ),
    ),
    NOT_USED: (
        (
            "You did not ask for this? Then close the page; without the button nothing happens, "
            "and the link ends by itself."
        ),
    ),
    OBJECTED: ("You objected to advertising.",),
    STILL: (
        "You lift it on your personal pages.",
        (
            "You objected to our mails. Your objection still stands; confirming does not lift "
            "it, and we send you no such mails."
        ),
    ),
    ASSERTED: ("only asserted; no mail is sent on this ground",),
    SWITCHES: (
        'Here you are known already: <a href="/my-data/preferences%(chosen)s">switch it off '
        "at once</a>.",
        "See and change what we keep about you",
    ),
    NOTICES: ("Published %(day)s. Consents refer to this version by its fingerprint:",),
    DEMO_AWAY: (
        "The gateway does not answer. Please reload this page in a moment.",
        "The form is not available right now",
    ),
    TEXTS: (
        (
            "The wording has changed in the meantime. Please read it again and send the form "
            "once more."
        ),
    ),
    RESTRICTS: (
        "What you agreed to counts again.",
        "restricted since %(moment)s",
        "The restriction is lifted.",
        "Stored. We start none of these mails any more.",
        "Since %(moment)s the use of your data is restricted.",
        (
            "We start no mail that you agreed to, and none that asks you to confirm. What you"
            " agreed to stands, and counts again once you lift the restriction."
        ),
        (
            "We then start no mail that you agreed to, and none that asks you to confirm. "
            "What you agreed to stands, and counts again once you lift the restriction on "
            "this page."
        ),
        "A mail with your personal link still comes when you ask for it.",
    ),
    FORGOTTEN: ("Kept until %(day)s at least",),
    PAUSES: (
        "You chose a pause: such mails wait until %(day)s.",
        "paused until %(day)s",
        (
            "This ends nothing that you agreed to: mails wait, and those whose time is over "
            "meanwhile never come."
        ),
        "Until %(day)s, as it is",
    ),
    FEWER: (
        "At most one mail in seven days, whatever it is for",
        "At most one mail in thirty days, whatever it is for",
    ),
    RESTRICTED_KEPT: ("Meanwhile we keep your consents and their proof, also past their term.",),
    OBJECTS: (
        "you objected on %(moment)s",
        "Your objection is lifted.",
        "Stored. What you agreed to has ended, and we start no such mail any more.",
        "You objected on %(moment)s. We send you no mails of the kind that you can agree to here.",
        (
            "If you lift your objection, you can be asked to confirm a sign-up again. What "
            "has ended stays ended."
        ),
        (
            "Nothing counts again by that alone: no such mail begins before you sign up anew "
            "and confirm."
        ),
        (
            "You can object at any time and without giving a reason (Art. 21 GDPR). What you "
            "agreed to then ends at once, and we send you no mails of the kind that you can "
            "agree to here, whoever signs you up."
        ),
        (
            "For twelve months, nobody can have confirmation mails sent to your address "
            "through a form. You can lift your objection on this page."
        ),
    ),
    NAMED_AGAIN: (
        "This has changed in the meantime, and nothing was lifted. Please read it again.",
        (
            "You agreed to this and did not withdraw it. It counts again as soon as you lift "
            "your objection:"
        ),
    ),
    BOTH_STAND: (
        "You have also objected to advertising. That stands until you lift it, too.",
        "You have also restricted the use of your data. That stands until you lift it, too.",
    ),
    ERASES: (
        (
            "This cannot be undone. At once nobody here finds you by your address any more, "
            "and no mail to you is started."
        ),
        "Your data is erased",
        "Nobody here finds you by your address any more, and no mail to you is started.",
        (
            "Save it now, or keep this link: nobody can find your erasure by your address "
            "later. The link works for as long as we keep that you were erased."
        ),
        "Keys destroyed",
        "Records deleted from the log",
    ),
    BODIES: ("The contents of mails, after they were sent",),
    MAILS: ("What became of each mail",),
    OWN_END: ("The proof of a consent, after its end",),
    MONTH: ("Sign-ups that were never confirmed",),
    RIGHTS_KEPT: ("What was asked for by right, after the decision",),
    TAKEN_ALONG: (
        (
            "Everything that we keep about you, as a file. That you took it is recorded, and how "
            "long it took us."
        ),
        (
            "This paper leaves out the details of each event, such as what was entered with a "
            "sign-up, and what mails say. The JSON file has all of it."
        ),
        (
            "Purposes, legal grounds, where the data is from and your rights, also to complain to "
            "an authority: see the privacy notice named with each wording."
        ),
        "%(num)s older ones are in the files below.",
        "We keep no message to you.",
    ),
    LEFT_OUT: (
        (
            "%(num)s older messages are in no file, for there are too many of them. Ask for them: "
            "%(contact)s"
        ),
    ),
    CERTIFIED: (
        (
            "Backups of the keys from before: whoever has one together with the keyring can read "
            "copies of the data. By what the controller says of its backups, the last of them is "
            "gone on %(day)s. Questions about that: %(contact)s"
        ),
        (
            "What proves consents, the address in it, and the mails sent under them, locked until "
            "%(day)s: it serves only to answer claims (Art. 17(3)(e) GDPR). It is opened for a "
            "case alone, which is recorded, and after that day it goes the same way."
        ),
        "Told in the audit log as",
    ),
    EACH_STATE: (
        "Told that the data is erased:",
        "%(name)s: acknowledged on %(moment)s",
        "%(name)s: not acknowledged, and asked no more",
        "%(name)s: not acknowledged yet",
        (
            "It waits, for the data is needed for legal claims (Art. 17(3)(e) GDPR), and comes by "
            "itself after that."
        ),
        "Nothing: no proof of a consent is kept.",
        "The keys of the address, of what was entered in forms, and of what the mails said",
        "The keys of what proved consents, and the mails sent under them",
    ),
    ERASED: (
        (
            "Your address, your language and what else you entered; everything that you "
            "agreed to; mails to you that wait, and what was in those sent; every link, these"
            " pages too. The keys that your data is encrypted with are destroyed first."
        ),
    ),
    LOCKED: (
        (
            "That somebody was erased at their own request, and when, under a random number "
            "without a name: %(length)s after nothing else is left."
        ),
        (
            "What proves your consents, your address in it, and the mails sent under them, locked "
            "until %(day)s: it serves only to answer claims (Art. 17(3)(e) GDPR). It is opened for "
            "a case alone, which is recorded, and after that day it goes the same way."
        ),
        "locked until %(day)s, then destroyed",
    ),
    STOPPED_STAYS: (
        (
            "Where this mailbox chose “This was not me” or stopped such mails: a keyed checksum of "
            "your address, until twelve months after that."
        ),
        "What stays of the address",
        (
            "Where mails to the address were objected to or stopped: a keyed checksum of it, for "
            "twelve months at most, so that nobody has it asked again."
        ),
        "A keyed checksum of the address, for twelve months, so that nobody has it asked again.",
    ),
    KEPT_NOTHING: (
        "nothing is kept",
        "A keyed checksum of your address, for twelve months, so that nobody has you asked again.",
    ),
    WAITS_FOR_A_HOLD: (
        (
            "You asked for erasure on %(moment)s. It waits, for your data is needed for legal "
            "claims (Art. 17(3)(e) GDPR), as things stand until %(day)s. Until it comes by "
            "itself, we send you none of the mails that you can agree to here."
        ),
        (
            "You asked for erasure on %(moment)s. It comes by itself once your data is not "
            "needed for legal claims any more (Art. 17(3)(e) GDPR). Until then we send you none "
            "of the mails that you can agree to here."
        ),
        (
            "This cannot be undone. Your data is needed for legal claims (Art. 17(3)(e) GDPR), "
            "as things stand until %(day)s: until then your erasure waits, and we send you none "
            "of the mails that you can agree to here. It then comes by itself."
        ),
        "That is why a restriction or an objection cannot be lifted now.",
        "Your erasure waits",
    ),
    RECTIFIED: (
        "This is your present address.",
        (
            "What you empty is removed. What proves your consents goes on saying what was "
            "entered then."
        ),
        "Your mails go to %(email)s.",
    ),
    MOVED: (
        "Nothing was changed",
        (
            "Somebody, most likely you, asked %(controller)s in your personal pages to send your "
            "mails to another address. Until that one agrees, nothing changes."
        ),
        (
            "Somebody, most likely you, wants the mails of %(controller)s that they agreed to "
            "sent to this mailbox from now on. Nothing changes before you press the button "
            "behind this link:"
        ),
        (
            "Somebody, most likely you, wants the mails of %(controller)s that they agreed to "
            "sent to this mailbox from now on. With the button you say that it is yours, and "
            "that you want that."
        ),
        (
            "The mails of %(controller)s that you agreed to go to another address from now on, "
            "as that one confirmed."
        ),
        "This mailbox is not on file any more.",
        (
            "This was not you? Then close the page; without the button nothing happens, and the "
            "link ends by itself."
        ),
        "Your address was changed",
        (
            "Your mails start for this mailbox from now on, and for the one of before no more. "
            "What you agreed to stands."
        ),
        (
            "Your personal pages and the links to them are closed everywhere; you can have a new "
            "link sent to this mailbox."
        ),
    ),
    TAKEN_BACK: (
        (
            "Somebody asked %(controller)s, in your personal pages, to send your mails to "
            "another address. With the button nothing comes of that; if it has happened already, "
            "your mails go to this mailbox again."
        ),
        (
            "The address of before took the change to this mailbox back: the mails of "
            "%(controller)s go there again."
        ),
        "Then keep your address by this link; for 14 days it works also after the change:",
        "Then take your address back by this link; it works for 14 days:",
        "What was confirmed at the other mailbox meanwhile has ended.",
        (
            "Your address has not been changed, and the change that was asked for can no longer "
            "be confirmed."
        ),
    ),
    STOPS_AGAIN: (
        "If a restriction or an objection of yours was lifted in that time, it stands again.",
    ),
    LIFT_TOLD: (
        (
            "On %(at)s somebody, most likely you, lifted the restriction of the use of your data "
            "on your personal pages of %(controller)s. What you agreed to counts again."
        ),
        (
            "On %(at)s somebody, most likely you, lifted your objection to advertising on your "
            "personal pages of %(controller)s. What you agreed to counts again, and you can be "
            "asked."
        ),
        (
            "Then stop it again by this link. It works once, until %(until)s, and also closes "
            "your personal pages everywhere:"
        ),
        (
            "On %(moment)s your objection to advertising of %(controller)s was lifted. With the "
            "button it stands again, and no advertising starts any more."
        ),
        (
            "On %(moment)s the restriction of the use of your data at %(controller)s was lifted. "
            "With the button it stands again, and no mail that you agreed to starts any more."
        ),
        "The restriction of your data was lifted",
        "Your objection to advertising was lifted",
        "Your objection stands again. We start no advertising any more.",
        "The use of your data is restricted again. We start no mail that you agreed to any more.",
        (
            "Your personal pages and the links to them were closed everywhere. Whoever had them "
            "open may know what they show."
        ),
    ),
    LIFT_UNDONE: ("A restriction or an objection that was lifted since then stands again, too.",),
    LIFT_OUTDOES: (
        (
            "Your personal pages and the links to them are closed everywhere, and another address "
            "that was asked for can no longer be confirmed."
        ),
    ),
    PAUSE_AS_BEFORE: (
        (
            "On %(at)s somebody, most likely you, ended or shortened your pause on your personal "
            "pages of %(controller)s. Mails that you agreed to come again sooner."
        ),
        (
            "On %(moment)s your pause of mails of %(controller)s was ended or shortened. With the "
            "button it lasts as long as before."
        ),
        "Your pause was shortened",
        "Your pause lasts as long as before.",
    ),
    BY_THE_DESK: (
        (
            "On %(at)s %(controller)s lifted the restriction of the use of your data, as somebody "
            "had asked, most likely you. What you agreed to counts again."
        ),
    ),
    ADDRESS_LIFE: (
        "The link works for 72 hours.",
        "The link works for 72 hours. For 14 days your present mailbox can take the change back.",
        "Then you need not do anything: no such mail comes here, and the link ends by itself.",
    ),
    ADDRESS_ALONG: (
        (
            "A mail to the new address asks there first. What you agreed to goes along, and so "
            "does an objection; requests that you have not confirmed end, and these pages close."
        ),
    ),
    ADDRESS_ALIKE: (
        (
            "Please look into both mailboxes. The present one is told in any case; the new one "
            "gets a mail with a link a little later, if it may be asked. Until somebody presses "
            "the button behind that link, everything stays as it is."
        ),
        (
            "This mailbox is known here already by itself, or was left or closed to such mails. "
            "Therefore no one else's mails are sent to it."
        ),
    ),
    ADDRESS_OUTDONE: (
        (
            "It was used, its time is over, or something newer has taken its place. Nothing was "
            "changed by it now."
        ),
        "This link does nothing any more",
    ),
    OF_A_SENDER: (
        (
            "Or leave all that you agreed to from the sender of that mail, also what this page "
            "does not name:"
        ),
        "Leave everything of this sender",
    ),
    SENDER_OFF: (
        "Or switch off everything of one sender at once:",
        "Everything of %(name)s off",
    ),
    ERASED_LATER: (
        "Keys and data are being destroyed; that goes on by itself.",
        "Your erasure has begun",
    ),
    INBOX: (
        "%(num)s mail. Received over real SMTP; nothing left this machine.",
        "DKIM invalid: %(domain)s",
        "DKIM valid: %(domain)s",
    ),
    EVIDENCE_SAYS: (
        "Confirmed: the consent stands.",
        "From which network and by which device it was asked for: neither is kept as proof.",
        "From which network and by which device it was confirmed: neither is kept as proof.",
        "It was asked for, with the address %(address)s.",
        "It was confirmed: by the button on the page behind the link in that mail.",
        (
            "Made again to the byte from what was kept of it; it has the hash that the log names."
            " It says:"
        ),
        "The mail that asks to confirm was handed to the mail server.",
        "The privacy notice that was shown with it",
        (
            "This paper is a reading of the audit log and proves nothing by itself. The bundle of"
            " the same consent has the entries of the log with their proofs, the wording, and the"
            " mail, and a program that checks them without a network and without anything of ours."
            " Whoever distrusts us takes the key of the log from where we publish it, and a"
            " checkpoint that somebody else kept."
        ),
        (
            "What became of the mail behind the server that took it: whether it lay in the"
            " mailbox, and who read it, is not reported back."
        ),
        "What was shown or sent, without what was the person's, in the bundle:",
        (
            "Whether the wording was shown with the form: whoever passed the request on says so,"
            " and nothing else does. The confirmation mail and the page behind its link showed it."
        ),
        (
            "Which person pressed the button. It was somebody who had the link, and the link was"
            " sent to this mailbox alone."
        ),
        "Who filled in the form. Anybody can enter an address; that is why its mailbox was asked.",
        "entry %(index)s of the log %(log)s",
        "our own page, by its signed stamp",
        "waits for its place in the log",
        "whoever passed the request on, as they say",
        "yes: this link was in this mail, and confirmed",
    ),
    "http/test_evidence_forms.py::test_the_bundle_has_the_source_of_the_notice_to_the_byte": (
        "As it reads; the hash named above is of its source, which the bundle has to the byte.",
    ),
    "http/test_evidence_paper.py::test_the_paper_says_how_many_mails_it_allowed": (
        "What it allowed",
        "First permitted",
        "Last permitted",
        "The JSON file names each of them, with what became of it.",
        "The log tells of %(num)s mail that rested on it.",
        "The log tells of no mail that rested on it.",
        "Of the mails that rested on it the newest %(num)s were read.",
    ),
    EVIDENCE_STATES: (
        "Asked for, and not confirmed: this is no consent.",
        "Confirmed, and ended by itself later.",
        "Confirmed, and withdrawn later.",
        "Never confirmed: this is no consent.",
        "Rejected: this is no consent.",
        "It ended by itself.",
        "It ended without a confirmation.",
        "It was passed on by %(who)s.",
        "It was rejected: %(channel)s.",
        "It was withdrawn: %(channel)s.",
        "The person objected to advertising: %(channel)s.",
        "The log tells of no mail that asked for it.",
        "The person corrected what is kept of them (Art. 16 GDPR): %(moment)s.",
        "yes: by the link that the log names for this mail",
    ),
    EVIDENCE_FAULTS: (
        "The wording is not what its hash says, or gone: it is not shown.",
        "The notice is not what its hash says, or gone: it is not shown.",
        "What was shown or sent is not what its hash says, or gone: it is not shown.",
        (
            "The row of the consent is not the last that the log tells of: somebody altered it,"
            " or put an old one back."
        ),
        "The log lacks events of this person that nobody let go.",
    ),
    EVIDENCE_OLDER: (
        "What the form looked like: no specimen of it was kept.",
        "What the page behind the link looked like: no specimen of it was kept.",
        (
            "The mail to the byte: its hash alone was kept, or nothing, where the process that"
            " sent it ended before it wrote that down."
        ),
        "Which link was in this mail: that was not recorded.",
        "What the server answered: that was not recorded.",
        (
            "Over which connection the mail was handed over, and how it was encrypted: that was"
            " not recorded."
        ),
        (
            "Whether whoever confirmed had also asked. Somebody else may have, so what the"
            " request said is left out, and proves nothing."
        ),
        (
            "Whoever confirmed may not have asked. What the request said is left out and proves"
            " nothing; who confirmed saw the wording on our page behind the link."
        ),
        "What was kept of the mail does not give the mail that the log names: it is not shown.",
        "The link in the mail is not the one that the log names.",
    ),
    EVIDENCE_WITHHELD: (
        (
            "The link in it can still confirm something, so nobody but its recipient sees what it"
            " says."
        ),
    ),
    EVIDENCE_ERASED: ("The person was erased; this evidence stays locked until %(moment)s",),
    DEFENDED_ERASED: (
        (
            "Our key signed this mail, and it is as it was signed. Its person was erased; what "
            "proves it is locked, and opened by who may open evidence for a case."
        ),
    ),
    "unit/test_authorship.py::test_a_mail_that_is_not_ours_says_why": (
        (
            "This file is no mail, or is larger than any of ours. Save the mail itself, with "
            "all its header fields (.eml)."
        ),
        "Nothing in this mail names a domain that we send from, or sent from.",
        (
            "Somebody else sent this mail, and one of ours is attached to it. Save the "
            "attached one as a file of its own: that can be checked."
        ),
        (
            "This mail says to be ours, and no signature in it is by a key of ours. Each "
            "mail of ours is signed. One that was forwarded as text bears none either: the "
            "original is needed."
        ),
        "This mail is signed in the name of our domain, by a key that was never ours.",
    ),
    "unit/test_authorship.py::test_an_altered_mail_is_told_as_far_as_it_is_proven": (
        (
            "The signature in this mail was made by our key, but not over what stands here: "
            "it was altered on its way, or the signature was taken from another mail."
        ),
        (
            "The body that we signed is here whole, and lines follow it: mailing lists "
            "append such a footer."
        ),
        (
            "The body that we signed is here whole, as one part among others: mailing lists "
            "wrap a mail so, to add a footer."
        ),
        "The body is another than we signed.",
        "The header is as we signed it.",
        (
            "These header fields were altered, added or taken out, and no others; with them "
            "as they were the signature is valid: %(fields)s"
        ),
        (
            "Header fields were altered, too. These stand there more or less often than they "
            "were signed: %(fields)s. Whether others were altered cannot be proven."
        ),
        "A header field was altered; which one cannot be proven.",
        "Not as we signed it",
    ),
    "unit/test_authorship.py::test_a_mail_that_was_encoded_again_says_the_same_words": (
        "The body says the same words in another encoding: a mail server encoded it again.",
    ),
    "unit/test_authorship.py::test_what_a_faithful_way_does_to_a_mail_leaves_it_ours": (
        (
            "The signature is checked by any DKIM verifier with the public key named above; "
            "the DNS had it under %(name)s."
        ),
        "Signed on its way, too, by",
    ),
    (
        "contract/test_defend.py::"
        "test_what_our_key_signed_and_nobody_permitted_is_told_as_never_accepted"
    ): (
        (
            "The signature is by our key, and valid, but the log has no such mail in the "
            "second that the signature names: the gateway never permitted it. Somebody else "
            "may have that key. Change it now: gateway dkim rotate."
        ),
    ),
    "contract/test_defend.py::test_other_words_under_a_message_id_of_ours_are_not_that_mail": (
        (
            "The signature is by our key, and valid, but the mail that the gateway sent "
            "under this Message-ID bore another one: this is not that mail. Somebody else "
            "may have that key. Change it now: gateway dkim rotate."
        ),
    ),
    "contract/test_defend.py::test_a_mail_of_ours_is_told_with_permit_ground_and_proof": (
        (
            "This mail is ours: our key signed it, and it is as it was signed. The log tells "
            "what allowed it."
        ),
        "The log has the signature of the mail that was sent: it is this one.",
        "The mail went to the address that the consent names.",
        "A mail of ours, and what allowed it",
    ),
    (
        "contract/test_defend.py::"
        "test_a_mail_whose_rows_went_by_their_term_is_answered_as_long_as_the_log_tells"
    ): (
        (
            "Our key signed this mail, and it is as it was signed. In that second the log "
            "has mails of which nothing is kept any more: their people were erased, or their "
            "term is over. Whether this is one of them cannot be told."
        ),
    ),
    (
        "contract/test_defend.py::"
        "test_where_the_log_lost_entries_nobody_says_that_a_mail_was_never_accepted"
    ): (
        (
            "Our key signed this mail, and it is as it was signed. The log has no such mail, "
            "but it lost entries when a backup was restored."
        ),
    ),
    "contract/test_defend.py::test_what_a_relay_renamed_is_found_by_where_it_went_and_when": (
        (
            "Our key signed this mail, and it is as it was signed. Which of our mails it is "
            "cannot be told: the server that sent it on gave it another Message-ID."
        ),
    ),
    "contract/test_defend.py::test_what_is_not_ours_opens_nothing": (
        "Nobody's data was looked at for this.",
        "Not a mail of ours",
    ),
    (
        "unit/test_defence_paper.py::"
        "test_a_mail_that_went_elsewhere_than_its_consent_says_is_told_so"
    ): ("The mail did not go to an address that the consent names.",),
    (
        "contract/test_defend.py::"
        "test_the_bundle_proves_the_permit_by_two_steps_and_the_paper_is_in_it"
    ): (
        (
            "The bundle that goes with this paper (a zip) has the mail, the entries of the "
            "log and what they commit to. Whoever distrusts us checks it alone, offline, "
            "with the program in it and the log's key from elsewhere: python verify_audit.py "
            "BUNDLE.zip --keys KEYS.txt"
        ),
    ),
    "unit/test_defence_paper.py::test_what_became_of_each_try_is_said": (
        "The mail server we handed it to accepted it",
        "The mail server took it later, or not at all",
        "It was handed over, and the connection broke off before the answer",
        "The mail server refused it",
        "It was not handed over",
        "Permitted; the log has no outcome of this try",
    ),
    "unit/test_defence_paper.py::test_the_paper_names_the_place_in_the_log_and_where_it_went": (
        "Entry %(index)s of log %(log)s, item %(item)s of %(of)s",
        "Waits for its place",
    ),
}

# Words, questions, requests, and what is of the demo's invented company or the reader alone.
NO_FACT: Final = (
    "1",
    "a sign-up form",
    "Digest of what was shown",
    "The mail that asks to confirm, without what was the person's",
    "“%(word)s”",
    "Answer",
    "Before",
    "By what",
    "Cipher",
    "Consents that count again",
    "Digest of its certificate",
    "Digest of the mail's signature",
    "Digest of the mail's template",
    "Digest of the statement",
    "Digest of what is said",
    "Digest of what it said before",
    "Digest of what it says now",
    "Digest of whom it is for",
    "Domain",
    "Entries",
    "Entries that the guard knew of",
    "Events whose facts are gone",
    "Facts of consents that are gone",
    "Facts of mails that are gone",
    "Fields that it was narrowed by",
    "Filled in",
    "From this byte on",
    "How many",
    "In the place of the consent",
    "Its port",
    "Links that ended",
    "Log before it",
    "Marketing waits for an answer",
    "Name in its certificate",
    "Name of the export",
    "Not begun",
    "Number of the campaign",
    "Number of the change",
    "Number of the erasure",
    "Number of the hold",
    "Number of the link",
    "Number of the link in the mail that tells of it",
    "Number of the request",
    "Objections done again",
    "Operators revoked",
    "Our form, before anybody typed",
    "Our script that shows the form",
    "Passed",
    "People who are not in it",
    "People who lack some keys",
    "People without keys",
    "Perhaps asked for by somebody else",
    "Public key",
    "Put in the place of a link that was gone",
    "Read up to entry",
    "Restrictions done again",
    "Role",
    "Root of the tree",
    "Root that the guard knew",
    "Rows that no gateway wrote so",
    "Seconds until the answer",
    "Sessions that ended",
    "Sign-ups left out",
    "Signature of the key after it",
    "Signature of the key before it",
    "Signature that the guard knew",
    "The address",
    "The address, back to the one of before",
    "The page behind the link",
    "The template of the mail",
    "Until",
    "Waits to be sent",
    "Waits with its campaign",
    "Waits, to be looked at again later",
    "What the form asks",
    "What was corrected",
    "What was entered",
    "What was put back",
    "What was stopped",
    "Which backup",
    "Which details",
    "Which key",
    "Which log",
    "Whose name or address",
    "Withdrawals done again",
    "Words of who left",
    "Would be mailed",
    "Would not be mailed",
    "a backup was put back",
    "a link that worked no more, and asked anew",
    "a mail was handed in",
    "a relay",
    "administers, and opens no personal data",
    "an authority",
    "an entry is missing, or is not what the gateway wrote",
    "an inbox of its own, which nothing leaves",
    "an older backup of the data was put back",
    "announced",
    "another request was confirmed",
    "answers for the data",
    "audits, and changes nothing",
    "by a link in a mail",
    "by a link that was printed",
    "by a switch on the preferences page",
    "by the button on the page behind the link",
    "by the button on the unsubscribe page",
    "by the link in the mail that told of it",
    "by the link that went to the address of before",
    "by the link that went to the new address",
    "by the unsubscribe button of the mail program",
    "by “No” to our question, after something had changed",
    "by “This was not me” behind the link of a confirmation mail",
    "campaigns",
    "changes that others are told of",
    "consent (Art. 6(1)(a) GDPR)",
    "consent confirmed",
    "consent withdrawn",
    "consents",
    "counts, and makes nothing new",
    "data corrected",
    "destroyed",
    "erasures",
    "in an exercise",
    "in use",
    "its wording was retired",
    "left out when something else was confirmed",
    "messages",
    "nothing was sent under it for long",
    "objection lifted",
    "once more, after a backup was put back",
    "other things",
    "people",
    "permits",
    "permitted",
    "restriction lifted",
    "sign-ups",
    "signed in by the one before",
    "the guard's store was put back, or is gone",
    "the key by which addresses are looked up",
    "the key of blocked mailboxes",
    "the key of fingerprints",
    "the key of links and forms",
    "the key of marks",
    "the key of the log's rows",
    "the key that mails are signed with",
    "the key that rows are signed with",
    "the key that signs the log",
    "the key that wraps the keys of people",
    "the person has another address",
    "the person themselves, by a personal link",
    "the server of the mailbox",
    "together with an erasure",
    "Yes",
    "Decided cases",
    "Decided %(moment)s",
    "Nothing was decided yet.",
    "Those before",
    "Cases that wait",
    "Papers",
    "Record of processing activities",
    "Art. 30 GDPR: what is processed for which purpose, for how long, and who receives it.",
    "Technical and organisational measures",
    "Processors and recipients",
    "Art. 28 GDPR: who else handles the data.",
    "Art. 13 and 14 GDPR: what people are told.",
    "A breach",
    "Of which day the copy is",
    "(left empty: not a copy, but the thing itself)",
    "Something of this cannot be read: a day, or a text of more than 4000 characters.",
    "Your file number for it",
    "It needs a number: letters, digits and . _ / : + = -, with at least one digit.",
    "What was taken",
    "Please say what was taken.",
    "A laptop, phone or mailbox: files that were taken out, and what was looked at",
    "The data database",
    "The key store",
    "The keyring",
    "The guard's store",
    "Log lines and journals",
    "Known since this day",
    "At which minute (%(zone)s)",
    "There is no such time, or it is yet to come.",
    "What happened, for the drafts",
    "What is done about it, for the drafts",
    "(left empty: named as missing)",
    "Work it out",
    "Another one",
    "%(title)s, a service mail",
    "Another mail, or the same as a file",
    "Defend a mail",
    "Is it ours?",
    "Please choose the file.",
    "The mail, as a file",
    "Messages",
    "Now",
    "Older ones",
    "One by one",
    "What was sent",
    "(for an authority alone)",
    "(left empty: from the first)",
    "(left empty: the whole day)",
    "(left empty: up to now)",
    "As which file",
    "Bundle that checks itself (zip)",
    "Current",
    "Day",
    "Everything",
    "For whom",
    "Former, still valid",
    "From this day",
    "From which minute on (UTC)",
    "Lines for a program (jsonl)",
    "Number of the authority's case",
    "Paper (PDF)",
    "Privacy notices",
    "Retired",
    "Show",
    "Spreadsheet (xlsx)",
    "Tables (csv)",
    "Take it out",
    "The day after",
    "The day before",
    "The log",
    "Up to this day, with it",
    "What happened then",
    "What the log holds, as a paper (PDF)",
    "Wordings and notices",
    "Wordings and notices, and how many consents rest on each",
    "entry %(index)s",
    "Holds",
    "Lift the hold",
    "Lift the hold …",
    "Lift the restriction …",
    "Place a hold",
    "Place a hold …",
    "Until which day",
    "Which dispute",
    "(left empty: today)",
    "All cases",
    "Also here",
    "Answer it at once",
    "Answered …",
    "Carry it out",
    "Cases",
    "Certificate (PDF)",
    "Decide",
    "Decided",
    "Due",
    "Due %(moment)s",
    "due %(moment)s",
    "Enclosed is everything that we hold about you.",
    "How it stands",
    "On which day it came",
    "Open the person",
    "Received %(day)s, %(channel)s",
    "Refuse it",
    "Refuse …",
    "Say that it is answered",
    "Take more time",
    "Take more time …",
    "Take the file (JSON), and answered",
    "Take the paper (PDF), and answered",
    "The erasure",
    "The person",
    "The person corrects their details on their personal pages. Once that is done, say that it is"
    " answered.",
    "Those that are due later",
    "What the person asks for",
    "What the person is told",
    "Write a case down",
    "Your choice writes the case down.",
    "As a paper (PDF)",
    "%(since)s to %(until)s",
    "Asked for %(moment)s",
    "Cancel it",
    "Exports",
    "Fetch the file",
    "Files of the log that you asked for, and how far each is.",
    "Let it stay as it is",
    "Make it again",
    "See how far it is now, and again by itself",
    "Take the log out",
    "The log, for the authority's case %(number)s",
    "What the log holds of one person",
    "Your exports",
    "from %(since)s on",
    "up to %(until)s",
    "Back to the desk",
    "Back, and change nothing",
    "Consents",
    "Data protection desk",
    "Erase this person",
    "Erase …",
    "Erasure waits since",
    "Everything that is held",
    "For a program (JSON)",
    "Held until",
    "How the person asked",
    "Look up",
    "Mails, and what allowed each",
    "No address on file",
    "No mail is kept.",
    "No request is kept.",
    "Nobody is known by that any more.",
    "Not mailed: %(reason)s",
    "Objected since",
    "Older ones are in the files above.",
    "One person",
    "Open the desk",
    "Prove this consent: bundle that checks itself",
    "Prove this consent: paper (PDF)",
    "Record a withdrawal",
    "Record a withdrawal …",
    "Record an objection",
    "Record an objection …",
    "Restrict the use of the data",
    "Restrict the use …",
    "Restricted since",
    "Sign out",
    "That is on your personal pages.",
    "This wording is damaged and cannot be shown.",
    "What happened",
    "What the person asked for",
    "Which operator",
    "Why you look",
    "You want to see what is kept about yourself?",
    "Your link to the desk",
    "A consent",
    "Not accepted by the mailbox",
    "Please keep: seal of the audit log, %(day)s",
    "Seal of the audit log",
    "The seal",
    "Checkpoints of the audit log",
    "How it was confirmed",
    "Mailbox",
    "Address as typed",
    "Attempt",
    "Legal ground",
    "By which link",
    "Which program",
    "Which way it came",
    "Program that passed it on",
    "Reply of the mail server",
    "Confirmed at",
    "Number of the consent",
    "Its enhanced code",
    "Digest of the form",
    "Sender's address",
    "Number of the ground",
    "Digest of the link to leave by",
    "Digest of the mail",
    "Number of the message",
    "Received at",
    "Reference",
    "Handed over to",
    "Its words",
    "Digest of the wording",
    "Digest of the link",
    "Why",
    "A backup was put back",
    "A block of a mailbox was lifted",
    "A checkpoint became public",
    "A consent ended by itself",
    "A consent was asked for",
    "A consent was confirmed",
    "A consent was imported",
    "A consent was withdrawn",
    "A cover entry, which tells of nothing",
    "A former name or address of who mails was declared",
    "A hold was lifted, or its date came",
    "A hold was placed on an erasure",
    "A key for a program was made",
    "A log was closed",
    "A mailbox refused a message",
    "A mailbox refused that an address changes",
    "A mailbox refused that a stop was lifted",
    "A mailbox was blocked",
    "A message was cancelled",
    "A message was reported as unwanted",
    "A person took their data along",
    "A person was erased",
    "A program's key was revoked",
    "A request for consent lapsed unconfirmed",
    "A request for consent was rejected",
    "A restriction was lifted",
    "A wording was declared to say the same as another",
    "A wording was published",
    "A wording was retired",
    "An erasure began",
    "An erasure waits, for a hold stands",
    "An operator answered for what a backup does not know",
    "An operator signed in",
    "An operator was entered",
    "Addresses were handed to a caller with what changed",
    "It was asked whether somebody may be mailed",
    "It was decided which messages may go",
    "It was written down what became of messages",
    "Locked evidence was opened for a case",
    "A campaign was made",
    "A campaign was paused",
    "A campaign went on",
    "A campaign was cancelled",
    "A campaign was over",
    "What may not have arrived of a campaign was sent again",
    "Whom a campaign would reach was counted",
    "Locked evidence was searched for a case",
    "Erasures were done again after a backup was put back",
    "Facts whose term was over were let go",
    "Messages were refused",
    "More time was taken for what was asked for by right",
    "One key followed another",
    "Putting a backup back was exercised",
    "Rows of an earlier release were adopted",
    "Somebody left while their key was missing",
    "Somebody objected to advertising",
    "Something was asked for by right",
    "The clock was set back",
    "The data of a person was corrected",
    "The data of a person was looked at",
    "The log was opened",
    "The log was taken out",
    "The mail that asks to confirm a consent was handed over",
    "The use of a person's data was restricted",
    "What was asked for by right ended with an erasure",
    "What was asked for by right was answered",
    "What was asked for by right was refused",
    "a program with a key",
    "an operator",
    "the gateway itself",
    "the person",
    "%(time)s: %(what)s. By %(who)s. Entry %(number)s.",
    "As of",
    "Bundle",
    "Case",
    "Entries signed",
    "Events in this report",
    "How much happened of what",
    "Its SHA-256",
    "Report on a period of the audit log",
    "Report on the audit log",
    "Report on what the audit log holds of a person",
    "Times are UTC.",
    "Times are those of %(zone)s, with UTC in brackets.",
    "Until before",
    "What happened, in the order of the log",
    "What this report is",
    "What was checked, and what that is worth",
    "%(number)s message.",
    "A confirmed consent",
    "Checked",
    "Covers the body and these fields",
    "Date",
    "Domain and selector",
    "File (SHA-256)",
    "From",
    "Ground",
    "How to check this",
    "Log",
    "Message-ID",
    "Permitted",
    "Place in the log",
    "Public key (SHA-256)",
    "Selector of the key",
    "Signatures in it, by their domains",
    "Signed for a permit of",
    "Subject",
    "The consent behind it",
    "The mail, as far as its signature covers it",
    "The signature",
    "To",
    "Address",
    "Confirmed by it",
    "Definition",
    "Encrypted",
    "Erased",
    "Evidence of a consent",
    "Form",
    "Handed over",
    "Hash of its link",
    "Hash of the mail",
    "Hash of the privacy notice",
    "Hash of the wording",
    "How it was asked for",
    "How this can be checked",
    "In short",
    "It answered",
    "Its name for the mail",
    "Page",
    "Passed on by",
    "Person",
    "Published",
    "Purpose",
    "The mail that asked",
    "To the mail server",
    "Typed: %(field)s",
    "What does not fit",
    "What happened, in order",
    "What is not known",
    "What was agreed to, word for word",
    "Who showed the wording",
    "no, plain text",
    "our mail, and the page behind its link",
    "our page behind the link in the mail",
    "our script on that page, by its signed stamp",
    "Please confirm that you want these mails",
    "To my pages, or to a new link",
    "to be looked at first",
    "these mails are not sent any more",
    "nobody had agreed to it",
    "erased",
    "use of the data restricted",
    "objected",
    "reported as unwanted",
    "refused by the mailbox for good",
    "sender or wording changed",
    "not confirmed yet",
    "rejected",
    "never confirmed",
    "withdrawn",
    "consent ended",
    "consent not proven",
    "enough mails for now",
    "your pause",
    "waits for its turn",
    "its time was over",
    "not needed any more",
    "mails that ask to confirm",
    "mails that ask to confirm, and personal links",
    "by %(who)s",
    "by letter",
    "by phone",
    "by a reply to a mail",
    "by a mail",
    "through another system",
    "on one's personal pages",
    "a switch on your preferences page",
    "You yourself, by a personal link",
    "Exercise of a restore",
    "Held",
    "Backup",
    "Taken",
    "Rows",
    "Entries of the audit log",
    "What was shown",
    "yes",
    "no",
    "Checkpoint",
    "Controller",
    "Another address",
    "Another address for your mails?",
    "Ask the new address",
    "Correct your details",
    "Correct your details, or change your address",
    "If the button does nothing, use this link:",
    "If this was not you, keep your address.",
    "If this was not you, stop it again.",
    "It stands again",
    "Stop it again",
    "Stop it again?",
    "If you cannot go on here, write to %(contact)s.",
    "Is this your new address?",
    "Keep this address",
    "Keep this address?",
    "Mails to this address?",
    "New email address",
    "See what is kept under this address, and have it erased, by a link of its own:",
    "Yes, to this mailbox",
    "You wanted that yourself? Then close the page.",
    "Your address",
    "About you, if you like",
    "%(num)s day",
    "%(num)s hour",
    "%(num)s year",
    "%(day)s, %(time)s %(zone)s",
    "(no subject)",
    ":",
    "About this demo",
    "About you",
    "All header fields",
    "All mails",
    "Already decided",
    "As a mail program shows it",
    "As plain text",
    "Ask me again",
    "Asked first",
    "Back to the form",
    "Back to the overview",
    "Checksum",
    "Entry",
    "Public seal",
    "Your receipt",
    "Change what you receive",
    "Close my pages",
    "Confirmed",
    "Demo: an invented company. Nothing leaves this machine.",
    "Did somebody else do this in your name? Then end it here:",
    "Email address",
    "Ended by itself",
    "Ends",
    "Entered with this sign-up",
    "Error %(code)s",
    (
        "From now on you hear from us: what is new, what we learned, and what may be of use to "
        "you. Short enough for one cup of coffee."
    ),
    "Get the letter",
    "Gone when you like",
    "Good tools deserve good words.",
    "How to end it",
    "If mails still come after that, please use the link in the newest one.",
    "Imprint",
    "Language",
    "Legal",
    "Local inbox",
    "Search the mails",
    "Search",
    "No mail has these words.",
    "Delete all mails",
    "Delete this mail",
    "On a page of its own",
    "A test mail",
    (
        "Mail programs sometimes break long links. Please copy the whole link from the mail "
        "into the address bar."
    ),
    "Mails you agreed to",
    "Never confirmed, lapsed",
    "New tools, shown at work instead of in a studio",
    "No mail yet. As soon as one arrives, it appears here by itself.",
    "No",
    "No more of these mails?",
    "Not confirmed yet",
    "Not signed",
    "Not watched",
    "Off",
    "Offers for readers, now and then, and marked as such",
    "On",
    "One moment, please",
    "One technique per letter, tried out by people at the bench",
    "Open my data",
    "Open the local inbox",
    "Open your data",
    "Please ask for a new one.",
    "Please choose",
    "Please choose one of the answers that are offered.",
    "Please confirm your sign-up",
    "Please enter a day that exists.",
    "Please enter a number, such as 12.",
    "Please enter your email address.",
    "Please fill in this field.",
    "Please go back and try again. If you typed the address of this page, please check it.",
    "Please have another look",
    "Please look into your mailbox",
    "Please stay within %(range)s.",
    "Please tick what you would like to receive.",
    "Please try again a little later.",
    "Preferences",
    "Privacy notice",
    "Privacy policy",
    "Proof",
    "Questions about your data?",
    "Read and confirm",
    "Read and decide",
    "Rejected",
    "Requested",
    "Requested %(moment)s",
    "Save",
    "Send me a link",
    "Sign in with %(provider)s",
    "By a link to your mailbox",
    "This attempt to sign in is over",
    "You were not signed in there",
    "This account does not open the desk",
    "Nobody can be asked at the moment",
    "That was not enough to let you in",
    "Send me a new mail",
    "Sign up",
    "Since %(moment)s",
    "Skip to the content",
    "Something went wrong on our side",
    "Stop these mails",
    "Thank you for having us in your mailbox.",
    "Thank you for telling us",
    "That did not work. Please try again in a moment.",
    "That was a mistake?",
    "The HTML part of this mail",
    "The Workshop Letter",
    (
        "The Workshop Letter brings what we build and what we learn to people who make things: "
        "twice a month, in five minutes, without a sales pitch in every second line."
    ),
    "The bytes as they arrived",
    "There is no such page",
    "Who mails from here, and how to leave",
    "This form is not set up as we expect. Please tell whoever runs the page.",
    "This is too long.",
    "This request is settled",
    "This value cannot be accepted.",
    "This was not me",
    "This was not you?",
    "Three things that we keep to:",
    "Through",
    "To see what we keep about you, or to change your mind, write to %(contact)s.",
    "Try again in %(num)s second.",
    "Unsubscribe",
    "Until soon",
    "Use the back button of your browser; what you typed is usually still there.",
    "We cannot do this right now",
    "We could not understand this request",
    "Welcome",
    "Welcome to %(sender)s",
    "Welcome, %(name)s",
    "What may we send you?",
    "What you agreed to",
    "What you agreed to, and the proof",
    "What you confirm",
    "Why this mail?",
    "Why you got this mail",
    "Withdrawn",
    "Wording",
    "Wordings and proof",
    "Yes, I agree",
    "Yes, I confirm",
    "You do not want this?",
    "You can always write to %(contact)s and ask what we keep about you.",
    "You may close this page.",
    "You need not do anything else. You may close this page.",
    "You want no more such mails?",
    "Your consent",
    "Your data",
    "Your mail preferences",
    "Your mailbox belongs to you.",
    "Your personal link",
    "Your sign-up",
    "Your withdrawal",
    "and",
    "form “%(form)s”",
    "not at all",
    "on %(page)s",
    "optional",
    "required",
    "taken over with documents from another system",
    "Who else handles your data for us",
    "Pause, or fewer mails",
    (
        'To end it for good, switch it off in your <a href="/my-data/preferences%(chosen)s">mail '
        "preferences</a>."
    ),
    "Pause",
    "No pause",
    "For one month from now",
    "For three months from now",
    "For six months from now",
    "How often",
    "As often as they are sent",
    "What you can ask of us",
    "Restrict the use of your data",
    "Object to advertising",
    "Have your data erased",
    "Lift the restriction",
    "Restrict the use",
    "Change your mind",
    "Lift my objection",
    "What goes",
    "What stays",
    "What we cannot reach",
    (
        "Older backups of the keys: until they are deleted, whoever has one together with our"
        " keyring can read copies of your data. When that is, %(contact)s tells you."
    ),
    "Mails that you received stay in your mailbox.",
    "Who else handled your data for us:",
    "Erase my data for good",
    "Number",
    "Asked for",
    "Done",
    "Done by",
    "Proof of your consents",
    "Save the certificate (JSON)",
    "Questions about it, with its number: %(contact)s",
    "A request that had to be confirmed",
    "Access",
    "Allowed by: %(ground)s",
    "An erasure that was asked for",
    "Another ground",
    "Answered",
    "As a web page (HTML)",
    "Cancelled, not sent",
    "Certificate of erasure",
    "Ended",
    "Erasure",
    "Erasure asked for",
    "Failed, not sent",
    "For machines, with every detail (JSON)",
    "Handed out",
    "How it reached us",
    "How long it is kept",
    "Kept at least until",
    "Made on %(moment)s",
    "Mails that were received stay in the mailbox.",
    "Mails to this mailbox blocked until",
    "Mails to you, and what allowed each",
    "Identifier in “%(system)s”",
    "Needed for legal claims until",
    "Not accepted by your mailbox",
    "Not permitted, not sent",
    "Nothing allowed it so far",
    "Objected",
    "Objection",
    "Paused until",
    "Perhaps sent",
    "Portability",
    "Reason",
    "Received",
    "Rectification",
    "Refused",
    "Restricted",
    "Restriction",
    "Save the certificate (PDF)",
    "Sender",
    "Sent",
    "Since",
    "Take your data along",
    "To read and print (PDF)",
    "Waits",
    "Waits, with more time",
    "What allowed it",
    "What became of it",
    "What can still be read from copies, until when",
    "What for",
    "What left the house before",
    "What stays locked as evidence, until when",
    "What was destroyed",
    "What you asked for by right",
    "When",
    "When your data was opened, and why",
    "Who else handled the data for us:",
    "A service mail: something was asked for, withdrawn, or is to be kept",
    "Asked to confirm: %(title)s",
    "Change of your address",
    "Something you had stopped was lifted",
)

# What the notice claims, by the names in `gateway/look/claims.py`, with the tests of the facts.
NOTICE_FACTS: Final = {
    "objection": (HINDERED, STILL),
    "what_was_agreed": (PURPOSE,),
    "called": (CALLED,),
    "proof": (PROVEN,),
    "proof_after_end": (FORGOTTEN,),
    "outcomes": (PROVEN,),
    "blocks": (CHECKSUM, BLOCKS, STOPPED, MARK_GOES),
    "service_mails": (YEAR, SPELLINGS, STOPPED),
    "network_counted": (SEALED, NETWORKS, KEPT_MAIL, THEIRS),
    "network_waits": (NEIGHBOURS, SEALED, COUNT_ALONE),
    "network_limited": (FLOODS, SEALED),
    "cookie": (COOKIE, HALF_AN_HOUR),
    "no_tracking": (NO_PIXEL,),
    "no_profile": (NO_PIXEL, LOOKING),
    "source": (ONLY_ASKS, BACK_END),
    "source_shown": (STORY,),
    "three_a_week": (WEEK,),
    "only_confirmed": (ONLY_ASKS,),
    "link_ends": (OVER,),
    "asked_anew": (ANEW, UNANSWERED, ANEW_OVER),
    "mailbox_provider": (RELAYED,),
    "stays_here": (RELAYED,),
    "stands": (LEAVES, PURPOSE),
    "ends": (BY_DATE,),
    "unused": (BY_USE,),
    "unconfirmed_kept": (MONTH, WHILE_IT_WORKS, ASKED_TO_STAY, RIGHTS_KEPT),
    "asked_anew_kept": (UNANSWERED,),
    "bodies_kept": (BODIES, EVIDENCE_TERM),
    "outcomes_kept": (MAILS, UNUSED),
    "called_kept": (CALLED_KEPT,),
    "profile_kept": (PROFILE, OWN_END),
    "proof_kept": (OWN_END, FORGOTTEN, OBJECTION_KEPT),
    "proof_ends": (NO_EVIDENCE,),
    "proof_held": (HELD, DISPUTE, RIGHTS_KEPT),
    "address_kept": (FORGOTTEN, MONTH),
    "blocks_kept": (CHECKSUM, YEAR),
    "service_mails_kept": (YEAR, STOPPED),
    "network_kept": (NETWORKS,),
    "blocked_objection": (ASKED_ANEW,),
    "blocked_erasure": (ASKED_ANEW,),
    "requests_kept": (LOCKED,),
    "rights_kept": (RIGHTS_KEPT, RIGHTS_SEALED),
    "takings_kept": (TAKEN, TAKEN_GOES),
    "own_keys": (FORGOTTEN, SEALED),
    "withdrawal": (LEAVES,),
    "withdrawal_told": (TOLD,),
    "final": (FINAL,),
    "own_pages": (STORY, ALIKE),
    "own_rights": (RECTIFIED, MOVED, RESTRICTS, OBJECTS, ERASES),
    "erasure": (ERASED, ERASED_FINAL),
    "locked": (LOCKED, OPENED, NOT_READ),
}
# Lines without a claim by how they begin: headings, who it is, the law, what the configuration
# says of others, and what the controller alone can answer for.
NOTICE_NO_FACT: Final = (
    "# ",
    "## ",
    "This notice says what",
    "**{{ controller.name|plain }}**",
    "We mail you under",
    "- **{{ sender.name|plain }}**",
    "Nobody obliges you to give",
    "Those of our staff who",
    "Besides, these service providers",
    "- **{{ one.name|plain }}**",
    "This is outside the European",
    "What protects the data there",
    "In backups, the data can be read",
    "- **Object**: see the box",
    "- **Access** to your data",
    "- **Complain** to a",
)

# What papers of the running gateway say (`gateway/look/measures.py`), by the name of the sentence.
PAPER_FACTS: Final = {
    "sealed": (
        "promises/test_nothing_personal_in_the_clear.py::test_a_canary_person_is_found_nowhere"
    ),
    "own_keys": (
        "promises/test_erased_is_erased.py::"
        "test_with_nothing_to_keep_nothing_about_the_person_is_left"
    ),
    "keys_apart": "contract/test_backup.py::test_a_backup_is_made_verified_and_told_of",
    "keyring_private": "attacks/test_files.py::test_nothing_that_a_gateway_makes_is_open_to_others",
    "private_files": "attacks/test_files.py::test_nothing_that_a_gateway_makes_is_open_to_others",
    "https": "http/test_dpo.py::test_over_tls_the_cookie_of_the_desk_is_tied_to_the_host",
    "relay_tls": "smtp/test_smtp.py::test_an_untrusted_certificate_gets_no_mail",
    "relay_here": "unit/test_measures.py::test_a_sentence_is_said_where_it_is_so_and_nowhere_else",
    "inbox": "unit/test_measures.py::test_a_sentence_is_said_where_it_is_so_and_nowhere_else",
    "data_here": "unit/test_measures.py::test_a_sentence_is_said_where_it_is_so_and_nowhere_else",
    "guard_apart": "unit/test_measures.py::test_a_sentence_is_said_where_it_is_so_and_nowhere_else",
    "numbers_here": "http/test_operations.py::test_the_public_is_told_no_numbers",
    "keyring_handed": (
        "unit/test_measures.py::test_a_sentence_is_said_where_it_is_so_and_nowhere_else"
    ),
    "signed_mail": "unit/test_dkim.py::test_a_mail_that_must_not_leave_gets_no_signature",
    "roles": "http/test_dpo.py::test_each_role_is_answered_what_it_may_and_nothing_else",
    "sessions": (
        "http/test_dpo.py::"
        "test_a_session_ends_half_an_hour_after_the_last_step_and_after_eight_hours"
    ),
    "looks_told": (
        "http/test_dpo.py::"
        "test_every_answer_with_personal_data_is_told_before_with_operator_and_reason"
    ),
    "api_keys": "contract/test_api_keys.py::test_the_token_itself_is_stored_nowhere",
    "no_words_in_logs": "unit/test_logs.py::test_what_is_not_on_the_list_is_not_written",
    "log": "promises/test_nothing_personal_in_the_clear.py::test_a_canary_person_is_found_nowhere",
    "verified": (
        "contract/test_audit_verified.py::test_it_is_due_each_night_by_one_process_at_a_time"
    ),
    "witnesses": (
        "promises/test_witnesses.py::"
        "test_each_public_checkpoint_is_cosigned_and_no_other_is_shown_to_them"
    ),
    "checkpoint_mails": (
        "promises/test_checkpoint_mails.py::test_it_carries_the_public_checkpoint_and_nobody"
    ),
    "kept": (
        "promises/test_accepted_is_kept.py::"
        "test_every_accepted_message_outlives_five_kills_in_full_delivery"
    ),
    "limits": "promises/test_it_is_no_weapon.py::test_the_cap_holds_for_a_week_and_not_for_ever",
    "permits": (
        "promises/test_no_permit_no_mail.py::"
        "test_every_mail_that_the_relay_saw_began_under_an_open_permit_of_its_own"
    ),
    "backup": "contract/test_backup_check.py::test_a_whole_backup_is_found_whole_and_written_down",
    "restore": "promises/test_restore.py::test_a_data_backup_brings_nobody_back",
    "key_young": "contract/test_rotation.py::test_each_state_is_told_to_the_log",
    "erasure": (
        "promises/test_erased_is_erased.py::"
        "test_locked_evidence_stays_to_its_date_and_goes_the_same_way"
    ),
    "retention": "promises/test_nothing_is_kept_longer.py::test_no_table_is_without_a_rule",
    "evidence_locked": (
        "contract/test_locked_evidence.py::"
        "test_the_whole_proof_is_opened_under_a_case_and_goes_on_its_date"
    ),
    "double_opt_in": (
        "promises/test_looking_changes_nothing.py::"
        "test_looking_at_every_link_in_every_way_changes_nothing"
    ),
    "withdrawal": (
        "promises/test_withdrawal_is_final.py::"
        "test_no_mail_is_begun_after_the_earlier_of_two_answers_under_load"
    ),
    "rights_due": (
        "http/test_dpo_cases.py::test_what_waits_is_listed_as_it_is_due_and_without_an_address"
    ),
    "staff_kept": "http/test_dpo.py::test_who_was_revoked_long_ago_is_nobody_to_anybody",
}
