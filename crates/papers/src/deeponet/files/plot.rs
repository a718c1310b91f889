//! `offprint use deeponet plot`.

use super::{
    arrays::{self, Matrix},
    picture_of, print, required, saved,
};
use crate::explain::explain;
use burn::tensor::Device;
use clap::ArgMatches;
use offprint_lab::{
    Error, Result,
    report::{
        chart::{Frame, range},
        svg::{Anchor, Svg, axes},
    },
    store::write_atomic,
    table::number,
};
use serde_json::json;

pub fn run(matches: &ArgMatches) -> Result<()> {
    let out = picture_of(matches)?;
    let folder = required(matches, "model");
    let (model, config) = saved::load(folder)?;
    let functions = arrays::given(matches, "functions")?;
    let points = arrays::given(matches, "points")?;
    let known = arrays::matrix(matches, "values")?;
    let row = *matches
        .get_one::<u64>("function")
        .expect("it has a default") as usize;
    if row >= functions.rows {
        return Err(Error::input(format!(
            "--function {row}, but it must be 0 to {}, the last row of {}",
            functions.rows - 1,
            functions.name
        )));
    }
    if let Some(known) = &known
        && (known.rows, known.columns) != (functions.rows, points.rows)
    {
        return Err(Error::input(format!(
            "{} has shape {}, but [{}, {}] is expected",
            known.name,
            known.shape(),
            functions.rows,
            points.rows
        )));
    }
    let device = Device::default();
    let u = config.functions(&functions, &device)?.narrow(0, row, 1);
    let y = config.points(&points, &device)?;
    let found = model.forward_cartesian(u, y).map_err(explain)?.into_data();
    let found = config.answers(folder, vec![points.rows], found)?.values;
    let known = known.as_ref().map(|known| known.row(row));
    let (svg, what) = match points.columns {
        1 => (lines(&points, &found, known), "over one coordinate"),
        2 => (squares(&points, &found, known), "over two coordinates"),
        other => {
            return Err(Error::input(format!(
                "points have {other} coordinates, but only 1 or 2 can be drawn"
            )));
        }
    };
    let label = format!("answer to function {row}, {what}");
    write_atomic(out, svg.file(&label).as_bytes())?;
    let error = known.map(|known| relative(&found, known));
    let document =
        json!({ "function": row, "points": points.rows, "relative_l2": error, "out": out });
    let error = error.map_or(String::new(), |error| {
        format!(", relative L2 error {}", number(error))
    });
    let text = format!(
        " function {row} at {} points{error} · wrote {}\n",
        points.rows,
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

/// The norm of the error over that of the values.
fn relative(found: &[f64], known: &[f64]) -> f64 {
    let off = found.iter().zip(known).map(|(a, b)| (a - b).powi(2));
    let power: f64 = known.iter().map(|b| b * b).sum();
    (off.sum::<f64>() / power).sqrt()
}

/// Lowest and highest of some numbers, never the same.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = range(values).unwrap_or((0.0, 1.0));
    if high > low {
        (low, high)
    } else {
        (low - 0.5, high + 0.5)
    }
}

/// A line over the coordinate, and the known values' dashed.
fn lines(points: &Matrix, found: &[f64], known: Option<&[f64]>) -> Svg {
    let (left, top, size) = (56.0, 28.0, (560.0, 280.0));
    let (low, high) = span(points.values.iter().copied());
    let all = found.iter().chain(known.unwrap_or_default()).copied();
    let (bottom, ceiling) = span(all);
    let margin = 0.05 * (ceiling - bottom);
    let frame = Frame {
        left: low,
        right: high,
        bottom: bottom - margin,
        top: ceiling + margin,
        cut: false,
    };
    let mut order: Vec<usize> = (0..points.rows).collect();
    order.sort_by(|&a, &b| points.values[a].total_cmp(&points.values[b]));
    let path = |values: &[f64]| -> Vec<(f64, f64)> {
        let place = |&i: &usize| {
            let x = left + size.0 * frame.across(points.values[i]);
            (x, top + size.1 * frame.down(values[i]))
        };
        order.iter().map(place).collect()
    };
    let mut svg = Svg::new(left + size.0 + 24.0, top + size.1 + 40.0);
    axes(&mut svg, &frame, "y", (left, top), size);
    if let Some(known) = known {
        svg.path(&path(known), false, "line c1", Some("known values"));
        svg.text(
            (left + 90.0, 16.0),
            Anchor::Start,
            "label c1",
            "known values",
        );
    }
    svg.path(&path(found), false, "line strong c0 d1", Some("DeepONet"));
    svg.text((left, 16.0), Anchor::Start, "label strong c0", "DeepONet");
    svg
}

/// Colored squares over the plane: the answer, and beside it the known values.
fn squares(points: &Matrix, found: &[f64], known: Option<&[f64]>) -> Svg {
    let side = 260.0;
    let all = found.iter().chain(known.unwrap_or_default()).copied();
    let (low, high) = span(all);
    let axis = |column: usize| points.values.iter().copied().skip(column).step_by(2);
    let (across, along) = (span(axis(0)), span(axis(1)));
    // As many squares a side as a grid of these points would have.
    let count = distinct(axis(0)).max(distinct(axis(1)));
    let cell = side / (count.clamp(2, 200) - 1) as f64;
    let panels = [("DeepONet", Some(found)), ("known values", known)];
    let panels: Vec<_> = panels
        .into_iter()
        .filter_map(|(name, values)| Some((name, values?)))
        .collect();
    let step = side + 70.0;
    let mut svg = Svg::new(40.0 + panels.len() as f64 * step + 60.0, side + 80.0);
    for (panel, (name, values)) in panels.iter().enumerate() {
        let (left, top) = (46.0 + panel as f64 * step, 34.0);
        let frame = Frame {
            left: across.0,
            right: across.1,
            bottom: along.0,
            top: along.1,
            cut: false,
        };
        svg.text((left, 18.0), Anchor::Start, "label strong c0", name);
        axes(
            &mut svg,
            &frame,
            "first coordinate",
            (left, top),
            (side, side),
        );
        for (point, value) in points.values.chunks_exact(2).zip(*values) {
            let x = left + side * frame.across(point[0]) - cell / 2.0;
            let y = top + side * frame.down(point[1]) - cell / 2.0;
            svg.cell((x, y), (cell, cell), color((value - low) / (high - low)));
        }
    }
    let left = 46.0 + panels.len() as f64 * step - 30.0;
    for i in 0..40 {
        let share = f64::from(i) / 39.0;
        let y = 34.0 + side * (1.0 - share) - side / 40.0;
        svg.cell((left, y), (12.0, side / 40.0 + 0.5), color(share));
    }
    svg.text((left + 18.0, 40.0), Anchor::Start, "tick", &number(high));
    svg.text(
        (left + 18.0, 34.0 + side),
        Anchor::Start,
        "tick",
        &number(low),
    );
    svg
}

/// How many different numbers there are.
fn distinct(values: impl Iterator<Item = f64>) -> usize {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values.len()
}

/// From dark blue over gray to yellow: ascending in lightness, so that it reads in gray and by the color-blind.
fn color(share: f64) -> [u8; 3] {
    const STOPS: [[f64; 3]; 3] = [
        [20.0, 40.0, 95.0],
        [125.0, 125.0, 120.0],
        [250.0, 225.0, 90.0],
    ];
    let place = share.clamp(0.0, 1.0) * 2.0;
    let stop = (place as usize).min(1);
    let part = place - stop as f64;
    std::array::from_fn(|i| {
        let (a, b) = (STOPS[stop][i], STOPS[stop + 1][i]);
        (a + part * (b - a)).round() as u8
    })
}
