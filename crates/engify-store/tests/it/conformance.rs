//! The list of small cases, and the databases it is run on.

use crate::cases;
use crate::database::Database;

macro_rules! conformance {
    ($($file:ident :: $case:ident),+ $(,)?) => {
        mod embedded {
            use super::{Database, cases};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                cases::$file::$case(Database::embedded()).await;
            })+
        }

        /// On SecantusDB, or the server of `ENGIFY_TEST_MONGODB_URI`.
        mod part_mongodb {
            use super::{Database, cases};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                cases::$file::$case(Database::mongo(stringify!($case))).await;
            })+
        }
    };
}

conformance! {
    documents::every_entity_comes_back_as_it_was,
    documents::a_document_of_one_megabyte_comes_back,
    documents::control_characters_and_emoji_come_back,
    documents::times_keep_their_milliseconds,
    documents::a_projection_has_its_fields_only,
    documents::many_come_in_the_order_of_their_ids,
    writes::a_unique_violation_names_its_index,
    writes::a_missing_unique_value_is_no_duplicate,
    writes::a_batch_is_all_or_nothing,
    writes::of_two_conditional_patches_one_wins,
    writes::a_sealed_value_is_replaced_only_where_nobody_else_did,
    writes::an_owner_has_one_key_for_each_provider,
    writes::patches_set_add_and_skip,
    writes::the_journal_tells_every_change_in_order,
    writes::long_documents_come_from_the_journal_a_few_at_a_time,
    writes::a_write_outlives_the_runtime_of_its_caller,
    writes::what_is_longer_than_a_document_can_be_is_refused,
    paging::pages_stay_in_place_while_others_insert,
    paging::equal_sort_values_are_neither_lost_nor_repeated,
    paging::ten_thousand_prompts_are_walked_once_each,
    paging::a_cursor_of_another_list_is_refused,
    paging::a_forged_cursor_shows_nothing_of_others_and_breaks_nothing,
    tenancy::other_tenants_documents_are_invisible,
    tenancy::several_audiences_come_in_one_order,
    feed::own_commits_come_at_once_and_others_within_a_second,
    searching::words_phrases_and_exclusions_match,
    searching::beginnings_match_while_typing,
    searching::a_slip_in_a_longer_word_is_forgiven,
    searching::nobody_finds_or_learns_of_others_prompts,
    searching::any_text_is_a_question,
    searching::orders_and_pages_hold,
    searching::facets_ignore_their_own_filter,
    searching::changes_are_found_at_once,
    snapshots::a_snapshot_is_what_the_journal_says_while_eight_write,
    snapshots::what_is_loaded_is_what_was_read,
    snapshots::a_load_refuses_what_it_cannot_keep,
    snapshots::a_large_collection_comes_in_pages,
    restoring::a_database_becomes_equal_to_another_and_journals_it,
    restoring::the_journals_old_end_goes_and_is_remembered,
    restoring::half_a_copy_is_refused_until_it_is_whole,
    restoring::of_two_who_note_something_once_the_first_wins,
    plans::every_query_uses_an_index,
    plans::indexes_are_made_once,
}
