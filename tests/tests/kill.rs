//! The kill test, at the length that fits beside the others. `pilum-kill-test` is
//! the same at any length.

#[tokio::test]
async fn nothing_accepted_is_lost_in_twenty_lives() {
    let found = pilum_tests::kill::run(20, 7).await.expect("every host starts again");
    assert!(found.is_good(), "{found:#?}");
    assert!(found.accepted > 100, "there was hardly any load: {found:#?}");
}
