//! Sections that can be read, and sections that cannot.

use super::*;

const INTERFACES: &str = r#"(instance $i)
    (export "acme:shop/cart@1.2.0" (instance $i)) (export "plain" (instance $i))
    (export "acme:shop/twice" (instance $i)) (export "acme:bank/twice" (instance $i))"#;

/// A component with such a section and some exports.
fn component(version: &str, json: &str) -> Vec<u8> {
    let json = json.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    wat::parse_str(format!(
        r#"(component (core module) (component (@custom "package-docs" "inner"))
            {INTERFACES} (@custom "package-docs" "{version}{json}"))"#
    ))
    .unwrap_or_else(|error| unreachable!("{error}"))
}

fn check(version: &str, json: &str, docs: &[(&str, &str)]) {
    let mut found: Vec<_> = of(&component(version, json)).into_iter().collect();
    found.sort();
    let expected: Vec<_> = docs.iter().map(|(name, doc)| ((*name).to_owned(), (*doc).to_owned())).collect();
    assert_eq!(found, expected, "{json}");
}

#[test]
fn functions_of_the_world_and_of_interfaces() {
    check(
        "\\01",
        r#"{
            "docs": "of the package",
            "worlds": { "root": {
                "funcs": { "log": { "docs": "imported" } },
                "func_exports": { "add": { "docs": " The sum.\nWraps around. " }, "none": {}, "empty": { "docs": "" } },
                "interface_exports": { "plain": { "docs": "x", "funcs": { "get": { "docs": "Gets." } } } }
            } },
            "interfaces": {
                "cart": { "funcs": { "pay": { "docs": "Pays.", "stability": "unknown" } } },
                "twice": { "funcs": { "which": { "docs": "Whose?" } } },
                "elsewhere": { "funcs": { "f": { "docs": "Not exported." } } }
            }
        }"#,
        &[("acme:shop/cart@1.2.0#pay", "Pays."), ("add", "The sum.\nWraps around."), ("plain#get", "Gets.")],
    );
}

#[test]
fn version_0_has_texts_without_objects() {
    let json = r#"{ "worlds": { "any-name": {
        "funcs": { "add": "The sum." }, "interfaces": { "plain": { "funcs": { "get": "Gets." } } }
    } } }"#;
    check("\\00", json, &[("add", "The sum."), ("plain#get", "Gets.")]);
}

#[test]
fn of_several_worlds_only_the_root_counts() {
    let json = r#"{ "worlds": {
        "other": { "func_exports": { "add": { "docs": "Not this." } } },
        "root": { "func_exports": { "add": { "docs": "The sum." } } }
    } }"#;
    check("\\01", json, &[("add", "The sum.")]);
    check("\\01", &json.replace("root", "another"), &[]);
}

#[test]
fn a_malformed_section_gives_no_docs() {
    for json in ["", "{", "[]", "null", r#"{"worlds":5}"#, r#"{"worlds":{"root":{"func_exports":[1]}}}"#] {
        check("\\01", json, &[]);
    }
    let good = r#"{"worlds":{"root":{"func_exports":{"add":{"docs":"The sum."}}}}}"#;
    check("\\02", good, &[]);
    check("\\01", &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)), &[]);
    let whole = component("\\01", good);
    assert_eq!(of(&whole).len(), 1);
    for end in 0..whole.len() {
        assert!(of(whole.get(..end).unwrap_or_default()).len() <= 1, "{end} bytes");
    }
    for at in 0..whole.len() {
        let mut wrong = whole.clone();
        if let Some(byte) = wrong.get_mut(at) {
            *byte ^= 0xff;
        }
        assert!(of(&wrong).len() <= 1, "byte {at}");
    }
    assert!(of(b"").is_empty() && of(b"\0asm\x01\0\0\0").is_empty());
}

#[test]
fn docs_are_bounded() {
    let long = "é".repeat(DOC_MAX_BYTES);
    let function = |name: String| format!(r#""{name}":{{"docs":"{long}"}}"#);
    let many: Vec<_> = (0..100).map(|i| function(format!("f{i}"))).collect();
    let json = format!(r#"{{"worlds":{{"root":{{"func_exports":{{{}}}}}}}}}"#, many.join(","));
    let docs = of(&component("\\01", &json));
    assert_eq!(docs.len(), 63, "as many as fit into {DOCS_MAX_BYTES} bytes");
    assert!(docs.values().all(|doc| doc.len() == DOC_MAX_BYTES));
    let padded = format!(
        "{}{}",
        " ".repeat(SECTION_MAX_BYTES),
        r#"{"worlds":{"root":{"func_exports":{"a":{"docs":"A."}}}}}"#
    );
    check("\\01", &padded, &[]);
}
