//! What `offprint train` says of a wrong configuration and of damaged files.

use crate::{
    offprint,
    train::{DIGITS, train},
};
use std::fs;

#[test]
fn bad_input_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let bad = |text: &str, more: &[&str], words: &[&str]| {
        train(folder.path(), text, more).bad(words);
        assert!(
            !folder.path().join("runs").exists(),
            "{text} wrote something"
        );
    };
    let set = |assignment: &str, words: &[&str]| bad(DIGITS, &["--set", assignment], words);
    set(
        "backbone.hiden=[3]",
        &["unknown setting \"hiden\"", "did you mean hidden?"],
    );
    set(
        "backbone.kind=mpl",
        &["unknown backbone \"mpl\"", "did you mean mlp?"],
    );
    set(
        "backbone.activation=sulu",
        &["backbone.activation = \"sulu\"", "did you mean silu?"],
    );
    set(
        "backbone.hidden=three",
        &[
            "backbone.hidden = \"three\"",
            "list",
            "from --set backbone.hidden=three",
        ],
    );
    set("backbone.dropout=1", &["dropout = 1", "below 1"]);
    set(
        "backbone.input=3",
        &["backbone.input = 3", "sklearn-digits has 64"],
    );
    set(
        "data.set=minst",
        &["data.set = \"minst\"", "did you mean mnist?"],
    );
    set(
        "data.text=a.txt",
        &["[data] names set and text, but one source is allowed"],
    );
    set("data.length=8", &["data.length belongs to text"]);
    set("data.rows=0", &["data.rows = 0", "1 or more"]);
    set(
        "training.learning_rate=-1",
        &[
            "training.learning_rate = -1",
            "above 0",
            "from --set training.learning_rate=-1",
        ],
    );
    set("training.learning_rate=nan", &["training.learning_rate"]);
    set("training.batch=0", &["training.batch = 0", "1 to 1000000"]);
    set(
        "training.batch=1.5",
        &["training.batch = 1.5", "a whole number"],
    );
    set("training.steps=5", &["[training] names steps and epochs"]);
    set(
        "training.optimizer=adam",
        &["training.optimizer = \"adam\"", "did you mean adamw?"],
    );
    set(
        "training.label_smoothing=1",
        &["training.label_smoothing = 1", "below 1"],
    );
    set(
        "trainign.batch=1",
        &["unknown section \"trainign\"", "did you mean training?"],
    );
    set("training.batch", &["has no \"=\""]);
    set("name=../up", &["name = \"../up\"", "letters"]);
    set(
        "name=comet",
        &["name = \"comet\", but a paper has that name"],
    );
    bad(
        DIGITS,
        &["--arms", "mpl"],
        &["unknown arm \"mpl\"", "did you mean mlp?"],
    );
    bad(DIGITS, &["--seeds", "0"], &["--seeds = 0"]);
    bad(DIGITS, &["--jobs", "0"], &["--jobs 0"]);
    bad(DIGITS, &["--data-dir", "nowhere"], &["nowhere"]);
    bad("name = \n", &[], &["run.toml", "line 1"]);
    bad("", &[], &["run.toml has no name"]);
    bad("name = \"a\"\n", &[], &["no [backbone]"]);
    bad(
        "name = \"a\"\n[backbone]\nkind = \"mlp\"\n[training]\nsteps = 1\n",
        &[],
        &["[data] names no source", "offprint data"],
    );
    bad(
        &format!("{DIGITS}[[arm]]\nname = \"x\"\n[[arm]]\nname = \"x\"\n"),
        &[],
        &["two arms have the name \"x\""],
    );
    bad(
        &format!("{DIGITS}[[arm]]\nname = \"x\"\n[arm.model]\n"),
        &[],
        &["unknown section \"model\""],
    );
    let blocks = "[backbone.blocks]\nlayers = 1\nwidth = 30\nheads = 4\n";
    let vit = |patch: usize| {
        format!(
            "name = \"v\"\n[backbone]\nkind = \"vit\"\npatch = {patch}\n{blocks}[data]\nset = \"mnist\"\n[training]\nsteps = 1\n"
        )
    };
    bad(&vit(7), &[], &["30", "4"]);
    bad(
        &vit(5),
        &["--set", "backbone.blocks.width=32"],
        &["size = [28, 28]", "patch = 5"],
    );
    let lenet = "name = \"l\"\n[backbone]\nkind = \"lenet\"\n[data]\nset = \"iris\"\n[training]\nsteps = 1\n";
    bad(
        lenet,
        &[],
        &["backbone.kind = lenet takes pictures, but iris is a table"],
    );
    bad(
        lenet,
        &["--set", "data.set=sklearn-digits"],
        &["size = [8, 8]", "at least [12, 12]"],
    );
    let gnn =
        "name = \"g\"\n[backbone]\nkind = \"gnn\"\n[data]\nset = \"iris\"\n[training]\nsteps = 1\n";
    bad(gnn, &[], &["gnn needs a graph", "data.neighbors"]);
    bad(
        gnn,
        &["--set", "data.neighbors=150"],
        &["data.neighbors = 150", "150 rows"],
    );
    bad(
        gnn,
        &[
            "--set",
            "data.neighbors=3",
            "--set",
            "backbone.readout=mean",
        ],
        &["backbone.readout = \"mean\""],
    );
    offprint(folder.path(), &["train", "--config", "none.toml"]).bad(&["none.toml"]);
    offprint(folder.path(), &["train"]).bad(&["--config"]);
}

#[test]
fn damaged_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let own = |kind: &str, key: &str, content: &[u8], more: &str, words: &[&str]| {
        fs::write(folder.path().join("file"), content).unwrap();
        let blocks = match kind {
            "gpt" => "[backbone.blocks]\nlayers = 1\nwidth = 8\nheads = 2\n",
            _ => "",
        };
        let text = format!(
            "name = \"own\"\n[backbone]\nkind = \"{kind}\"\n{blocks}[data]\n{key} = \"file\"\n{more}[training]\nsteps = 1\n"
        );
        train(folder.path(), &text, &[]).bad(words);
        assert!(!folder.path().join("runs").exists());
    };
    let target = "target = \"y\"\n";
    own("mlp", "table", b"", target, &["file", "empty"]);
    own("mlp", "table", b"x,y\n", target, &["file", "no rows"]);
    own(
        "mlp",
        "table",
        b"x,y\n1,2\n2,3\nNaN,4\n3,1\n",
        target,
        &[
            "line 4",
            "column \"x\" holds \"NaN\"",
            "data.missing = [\"NaN\"]",
        ],
    );
    own(
        "mlp",
        "table",
        b"x,y\n1,2\n2,inf\n3,4\n3,1\n",
        target,
        &["column \"y\" holds \"inf\""],
    );
    own(
        "mlp",
        "table",
        b"x,y\n1,2\n3,1\n",
        "",
        &["data.target is missing", "x, y"],
    );
    own(
        "mlp",
        "table",
        b"x,y\n1,2\n3,1\n",
        "target = \"z\"\n",
        &["no column \"z\""],
    );
    own("mlp", "table", b"x,y\n1,2\n3,1\n", target, &["rows = 2"]);
    own("gpt", "text", b"", "", &["file", "empty"]);
    own(
        "gpt",
        "text",
        b"short",
        "",
        &["data.length = 64", "5 bytes"],
    );
    own("gpt", "text", b"\xff\xfe\x00", "", &["file", "line 1"]);
    own(
        "mlp",
        "images",
        b"abc",
        "labels = \"file\"\n",
        &["fewer than 4 bytes"],
    );
    own("mlp", "images", b"abc", "", &["images and labels together"]);
    let gone = "name = \"own\"\n[backbone]\nkind = \"mlp\"\n[data]\ntable = \"gone.csv\"\ntarget = \"y\"\n[training]\nsteps = 1\n";
    train(folder.path(), gone, &[]).bad(&["cannot read", "gone.csv"]);
}
