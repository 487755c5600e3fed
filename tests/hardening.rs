//! The table of what the server withstands names tests that there are.

use std::fs;
use std::path::Path;

#[test]
fn every_test_of_the_table_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = fs::read_to_string(folder.join("hardening.tsv")).expect("the table");
    let rows = table.lines().filter(|line| !line.starts_with('#')).skip(1);
    let mut missing = Vec::new();
    for row in rows {
        let (behaviour, tests) = row.split_once('\t').expect("two columns");
        assert!(!tests.trim().is_empty(), "{behaviour} has no test");
        for test in tests.split(' ') {
            let (file, name) = test.split_once("::").expect("file::name");
            let text = fs::read_to_string(folder.join(file).with_extension("rs"));
            if !text.is_ok_and(|text| text.contains(&format!("#[test]\nfn {name}()"))) {
                missing.push(test);
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
