//! `offprint use kat plot`.

use super::{model, picture_of, print, range, required, write_atomic};
use burn::tensor::Device;
use clap::ArgMatches;
use offprint_backbones::AnyChannelMixer;
use offprint_lab::{
    Result,
    report::{
        chart::{self, Frame},
        svg::{Anchor, Svg, axes, color, dash},
    },
};
use offprint_layers::rational::{Coefficients, Rational};
use serde_json::json;

/// Points of a curve.
const POINTS: usize = 121;

/// Width and height of a panel, and what is left around it.
const PANEL: (f64, f64) = (250.0, 150.0);
const AROUND: (f64, f64) = (70.0, 70.0);

pub fn run(matches: &ArgMatches) -> Result<()> {
    let out = picture_of(matches)?;
    let ends = range(matches)?.expect("it has a default");
    let path = required(matches, "model");
    let model = model::load(matches, "model", &Device::default())?;
    model::with_mixer(&model, path, "gr-kan")?;
    let blocks = model.vit.blocks.blocks.iter();
    let functions: Vec<[&Rational; 2]> = blocks
        .filter_map(|block| match &block.channel_mixer {
            AnyChannelMixer::GrKan(kan) => Some([&kan.first, &kan.second]),
            _ => None,
        })
        .collect();
    let (width, height) = (PANEL.0 + AROUND.0, PANEL.1 + AROUND.1);
    let mut svg = Svg::new(2.0 * width + 20.0, functions.len() as f64 * height + 20.0);
    for (block, pair) in functions.iter().enumerate() {
        for (side, rational) in pair.iter().enumerate() {
            let corner = (50.0 + side as f64 * width, 30.0 + block as f64 * height);
            let title = format!("block {}, function {}", block + 1, side + 1);
            panel(&mut svg, &rational.coefficients(), ends, corner, &title);
        }
    }
    write_atomic(
        out,
        svg.file("learned functions by block and group").as_bytes(),
    )?;
    let all: Vec<_> = functions
        .iter()
        .map(|pair| pair.map(Rational::coefficients))
        .map(|[first, second]| json!({ "first": first, "second": second }))
        .collect();
    let groups = functions
        .first()
        .map_or(0, |pair| pair[0].denominator.dims()[0]);
    let document = json!({ "file": out, "groups": groups, "blocks": all });
    let text = format!(
        " {} blocks, {groups} groups in each · wrote {}\n",
        functions.len(),
        out.display()
    );
    print(matches.get_flag("json"), &document, &text)
}

/// One function of a block: a curve for each group.
fn panel(
    svg: &mut Svg,
    groups: &[Coefficients],
    [left, right]: [f64; 2],
    corner: (f64, f64),
    title: &str,
) {
    let step = (right - left) / (POINTS - 1) as f64;
    let places = || (0..POINTS).map(|i| left + step * i as f64);
    let values = groups.iter().flat_map(|f| places().map(|x| f.value(x)));
    let (low, high) = chart::range(values).unwrap_or((-1.0, 1.0));
    let margin = (0.05 * (high - low)).max(0.01);
    let frame = Frame {
        left,
        right,
        bottom: low - margin,
        top: high + margin,
        cut: false,
    };
    svg.text((corner.0, corner.1 - 8.0), Anchor::Start, "label", title);
    axes(svg, &frame, "x", corner, PANEL);
    for (group, f) in groups.iter().enumerate() {
        let points: Vec<(f64, f64)> = places()
            .map(|x| (x, f.value(x)))
            .filter(|(_, y)| y.is_finite())
            .map(|(x, y)| {
                let (across, down) = (PANEL.0 * frame.across(x), PANEL.1 * frame.down(y));
                (corner.0 + across, corner.1 + down)
            })
            .collect();
        let class = format!("line {} {}", color(group), dash(group));
        let name = format!("group {}", group + 1);
        svg.path(&points, false, &class, Some(&name));
    }
}
