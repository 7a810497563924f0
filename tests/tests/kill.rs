//! The kill test with twenty hosts. The program `pilum-kill-test` runs it with any
//! number.

#[tokio::test]
async fn no_accepted_execution_is_lost_when_twenty_hosts_are_killed() {
    let found = pilum_tests::kill::run(20, 7).await.expect("every host starts again");
    assert!(found.is_good(), "{found:#?}");
    assert!(found.accepted > 100, "there was hardly any load: {found:#?}");
}
