use super::*;
use actors::catalogue::refreshed;
use std::{fs, path::Path};

#[test]
fn the_page_of_series_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let series = Series::new().unwrap();
    let fresh = |page: &str| refreshed(page, "loadtester", &series.catalogue.table()).unwrap();
    let page = fs::read_to_string(&path).unwrap();
    if std::env::var("AVIARY_REGENERATE").is_ok_and(|value| value == "1") {
        fs::write(&path, fresh(&page)).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap();
    assert!(
        page == fresh(&page),
        "docs/metrics.md is stale: see there how it is made"
    );
}
