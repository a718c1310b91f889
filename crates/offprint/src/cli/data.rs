//! `offprint data`.

use super::{print, print_json, wrap};
use clap::Args;
use offprint_data::sets;
use offprint_lab::{error::Result, table::columns};
use serde_json::json;

#[derive(Args)]
#[command(
    after_help = "Example:\n  offprint data\n\nYour own data sets: --data-dir of offprint run."
)]
pub struct DataArgs {
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

pub fn data(args: &DataArgs) -> Result<()> {
    if args.json {
        let entries: Vec<_> = sets()
            .iter()
            .map(|set| {
                json!({
                    "name": set.name,
                    "what": set.what,
                    "rows": set.rows,
                    "bytes": set.bytes,
                    "source": set.source,
                    "license": set.license,
                })
            })
            .collect();
        return print_json(&entries);
    }
    let mut rows = vec![["set", "rows", "kB", "licence"].map(String::from).to_vec()];
    for set in sets() {
        rows.push(vec![
            set.name.into(),
            set.rows.to_string(),
            (set.bytes / 1000).to_string(),
            set.license.into(),
        ]);
    }
    let mut text = columns(&rows, 1) + "\n";
    for set in sets() {
        let about = format!("{}; from {}", set.what, set.source);
        text += &format!(" {:<15}{}\n", set.name, wrap(&about, 79, 16));
    }
    print(&text);
    print(" (*) from general knowledge, not printed inside the package\n");
    Ok(())
}
