//! `offprint use deeponet predict`.

use super::{arrays, out_of, print, required, saved};
use crate::explain::explain;
use burn::tensor::Device;
use clap::ArgMatches;
use offprint_data::arrays::{Array, write_npy};
use offprint_lab::{Error, Result, store::write_atomic};
use serde_json::json;
use std::path::Path;

pub fn predict(matches: &ArgMatches) -> Result<()> {
    let out = out_of(matches)?;
    let write = writer(out)?;
    let folder = required(matches, "model");
    let (model, config) = saved::load(folder)?;
    let functions = arrays::given(matches, "functions")?;
    let points = arrays::given(matches, "points")?;
    let device = Device::default();
    let u = config.functions(&functions, &device)?;
    let y = config.points(&points, &device)?;
    let pairs = matches.get_flag("pairs");
    if pairs && functions.rows != points.rows {
        return Err(Error::input(format!(
            "{} has {} rows, but {} has {}: with --pairs they must be as many",
            functions.name, functions.rows, points.name, points.rows
        )));
    }
    let (shape, data) = match pairs {
        true => (
            vec![functions.rows],
            model.forward(u, y).map_err(explain)?.into_data(),
        ),
        false => {
            let s = model.forward_cartesian(u, y).map_err(explain)?;
            (s.dims().to_vec(), s.into_data())
        }
    };
    let array = config.answers(folder, shape, data)?;
    write_atomic(out, &write(&array))?;
    let outside = config.outside(&points);
    let document = json!({
        "functions": functions.rows,
        "points": points.rows,
        "outside": outside,
        "out": out,
    });
    let mut text = format!(
        " {} functions, {} points · wrote {}\n",
        functions.rows,
        points.rows,
        out.display()
    );
    if outside > 0 {
        text += &format!(" {outside} points are outside the range that was trained on\n");
    }
    print(matches.get_flag("json"), &document, &text)
}

/// The form that the name of a file asks for.
fn writer(out: &Path) -> Result<fn(&Array) -> Vec<u8>> {
    match out.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => Ok(write_npy),
        Some("csv") => Ok(csv),
        _ => Err(Error::input(format!(
            "--out {}, but it must end with .npy or .csv",
            out.display()
        ))),
    }
}

/// One line a row.
fn csv(array: &Array) -> Vec<u8> {
    let columns = array.shape.get(1).copied().unwrap_or(1).max(1);
    let lines = array.values.chunks(columns).map(|row| {
        let cells: Vec<String> = row.iter().map(f64::to_string).collect();
        cells.join(",") + "\n"
    });
    lines.collect::<String>().into_bytes()
}
