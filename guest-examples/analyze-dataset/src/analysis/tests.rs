//! Tests of small tables and their complete reports.

use super::{Report, analyze};

const TABLE: &str = "\
id,region,quantity,unit_price,discount,note
1,north,2,10.0,0,a
2,south,1,100,0.5,7
3,north,3,5,0.2,8
";

fn report(csv: &str, resamples: u32) -> Report {
    analyze(csv, resamples, |_| ()).expect("a good table")
}

fn check_refused(csv: &str, expected: &str) {
    let error = analyze(csv, 0, |_| ()).expect_err("a bad table");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn revenue_by_region() {
    let report = report(TABLE, 0);
    let regions: Vec<_> =
        report.regions.iter().map(|region| (region.name.as_str(), region.orders, region.revenue)).collect();
    assert_eq!(regions, [("south", 1, 50.0), ("north", 2, 32.0)]);
    assert_eq!((report.rows, report.revenue), (3, 82.0));
    assert!((report.mean_revenue - 82.0 / 3.0).abs() < 1e-12);
    assert_eq!(report.mean_revenue_interval, None);
}

#[test]
fn only_columns_of_numbers_are_summarised() {
    let report = report(TABLE, 0);
    let names: Vec<_> = report.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["quantity", "unit_price", "discount"]);
}

#[test]
fn the_same_again() {
    let lines = std::cell::RefCell::new(Vec::new());
    let first = analyze(TABLE, 50, |line| lines.borrow_mut().push(line)).expect("a good table");
    assert!(first.mean_revenue_interval.is_some());
    assert_eq!(first.mean_revenue_interval, report(TABLE, 50).mean_revenue_interval);
    assert_eq!(lines.borrow().first().map(String::as_str), Some("3 rows read"));
    assert_eq!(lines.borrow().last().map(String::as_str), Some("50 of 50 resamples"));
}

#[test]
fn bad_tables() {
    check_refused("", "the table has no column region");
    check_refused("region,quantity,discount\n", "the table has no column unit_price");
    check_refused("region,quantity,unit_price,discount\n", "the table has no rows");
    check_refused(
        "region,quantity,unit_price,discount\nnorth,2,1,0\nnorth,two,1,0\n",
        "line 3: quantity is not a number: \"two\"",
    );
    check_refused(
        "region,quantity,unit_price,discount\nnorth,inf,1,0\n",
        "line 2: quantity is not a number: \"inf\"",
    );
    let error =
        analyze("region,quantity,unit_price,discount\nnorth,2\n", 0, |_| ()).expect_err("a short row");
    assert!(error.to_string().starts_with("the table is malformed: "), "{error}");
    let error = analyze(TABLE, 1_000_001, |_| ()).expect_err("too many");
    assert_eq!(error.to_string(), "1000001 resamples are too many: at most 1000000 are done");
}
