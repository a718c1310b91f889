//! Configurations: what they become, and what a person reads when one is wrong.

use super::*;
use offprint_lab::settings::SettingsMap;

const TEXT: &str = r#"
name = "digits"
[backbone]
kind = "mlp"
[data]
set = "sklearn-digits"
[training]
epochs = 2
"#;

fn request(text: &str, sets: &[&str]) -> Request {
    Request {
        text: text.into(),
        file: "run.toml".into(),
        sets: sets.iter().map(|set| set.to_string()).collect(),
        arms: Vec::new(),
        seeds: None,
        data_dir: None,
        command: "offprint train --config run.toml".into(),
        build: Build {
            version: "1".into(),
            revision: "2".into(),
            machine: "3".into(),
        },
    }
}

fn planned(text: &str, sets: &[&str]) -> Result<Plan> {
    plan(&request(text, sets))
}

/// The settings of one arm of a plan.
fn settings_of(plan: &Plan, arm: usize) -> SettingsMap {
    let mut flat = plan.settings.clone();
    flat.extend(plan.arms[arm].tuned.clone());
    flat
}

#[test]
fn the_data_decides_sizes_and_every_default_is_written() {
    let plan = planned(TEXT, &[]).unwrap();
    assert_eq!(plan.arms[0].name, "mlp");
    let text: String = plan
        .settings
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    insta::assert_snapshot!(text);
}

#[test]
fn settings_survive_being_stored() {
    let blocks = "[backbone.blocks]\nlayers = 2\nwidth = 12\nheads = 3\n\
        quantizer = { uniform = { bits = 4 } }\nnorm_epsilon = 1e-6\n";
    let vit = format!(
        "name = \"v\"\n[backbone]\nkind = \"vit\"\npatch = 4\n{blocks}[data]\nset = \"sklearn-digits\"\n[training]\nsteps = 3\n"
    );
    for text in [TEXT, &vit] {
        let plan = planned(text, &[]).unwrap();
        let flat = settings_of(&plan, 0);
        let config = TrialConfig::from_flat(&flat).unwrap();
        assert_eq!(config.to_flat(), flat);
    }
    let plan = planned(&vit, &[]).unwrap();
    assert_eq!(plan.settings["backbone.blocks.norm_epsilon"], 1e-6);
    assert_eq!(plan.settings["backbone.blocks.quantizer.uniform.bits"], 4);
}

#[test]
fn arms_lie_over_the_file_and_the_command_line_over_both() {
    let text = format!(
        "{TEXT}[[arm]]\nname = \"a\"\nbackbone.hidden = [8]\ntraining.batch = 16\n[[arm]]\nname = \"b\"\n\
        [arm.backbone]\nkind = \"convnet\"\n"
    );
    let plan = planned(&text, &["training.batch=8"]).unwrap();
    let (a, b) = (settings_of(&plan, 0), settings_of(&plan, 1));
    assert_eq!(a["backbone.hidden"], serde_json::json!([8]));
    assert_eq!(
        (&a["training.batch"], &b["training.batch"]),
        (&8.into(), &8.into())
    );
    // Another kind takes nothing of the file's backbone.
    assert!(!b.contains_key("backbone.hidden") && b.contains_key("backbone.widths"));
    assert!(
        plan.settings.contains_key("training.batch")
            && !plan.settings.contains_key("backbone.kind")
    );
    let (run, work) = study(&plan).unwrap();
    assert_eq!(
        (run.slug, work.study.question()),
        ("digits", "mlp, convnet on sklearn-digits")
    );
    assert_eq!(work.study.arms().len(), 2);
}

/// What a person reads when a configuration is wrong.
#[test]
fn messages() {
    let mut text = String::new();
    for set in [
        "backbone.kind=mpl",
        "backbone.hiden=[3]",
        "backbone.hidden=three",
        "backbone.hidden=[3, 0]",
        "backbone.activation=sulu",
        "backbone.quantizer={ uniform = { bits = 1 } }",
        "backbone.dropout=-0.5",
        "backbone.output=3",
        "data.set=minst",
        "data.table=t.csv",
        "data.neighbors=4",
        "data.augment=flip",
        "data.held_out=0",
        "training.batch=0",
        "training.batch=-1",
        "training.batch=many",
        "training.learning_rate=-0.1",
        "training.schedule=cosin",
        "training.steps=3",
        "training.evaluations=0",
        "trainig.steps=3",
        "name=Digits 2",
        "training",
    ] {
        let error = planned(TEXT, &[set]).unwrap_err();
        text += &format!("--set {set}\n  {error}\n");
        for line in error.help_text().unwrap_or_default().lines() {
            text += &format!("    {line}\n");
        }
    }
    insta::assert_snapshot!(text);
}

/// Rises in a line over four steps, stays at the largest for one, and falls along half a cosine.
#[test]
fn schedules() {
    let training = TrainingConfig {
        learning_rate: 1.0,
        warmup: 4,
        schedule: Schedule::Cosine,
        ..TrainingConfig::default()
    };
    let rates: Vec<f64> = (1..=12).map(|step| training.rate(step, 12)).collect();
    assert_eq!(rates[..5], [0.2, 0.4, 0.6, 0.8, 1.0]);
    assert!((rates[8] - 0.5).abs() < 1e-12, "{rates:?}");
    assert!(rates[4..].windows(2).all(|pair| pair[1] < pair[0]) && rates[11] > 0.0);
    let constant = TrainingConfig {
        schedule: Schedule::Constant,
        ..training
    };
    assert_eq!(constant.rate(9, 12), 1.0);
}
