//! `offprint use puzzleclone`: puzzles from the user's own specifications.

mod answers;
mod generate;
mod puzzles;
mod sets;

use crate::arguments::{
    flag, list, option, out_of, path, print, required, whole, whole_of, writable,
};
use clap::{Arg, ArgAction, ArgMatches, Command};
use offprint_lab::{Error, Result, command::UserCommand};
use offprint_language::puzzles::{Embedded, GenerateError, Puzzle, Solver, Spec, SpecError, seeds};
use std::path::Path;

/// The sub-commands.
pub struct OnFiles;

impl UserCommand for OnFiles {
    fn grammar(&self) -> Command {
        let puzzles =
            || path("puzzles", "PUZZLES.jsonl", "Puzzles that generate wrote").required(true);
        let spec = || {
            option(
                "spec",
                "SPEC",
                "Specification of the puzzles, where it is not one of the library's",
            )
        };
        Command::new("puzzleclone")
            .about("Puzzles with proved answers from a specification")
            .subcommand_required(true)
            .arg_required_else_help(true)
            .after_help("Example:\n  offprint use puzzleclone generate SPEC.yaml -n 1000 --seed 7 -o puzzles.jsonl")
            .subcommand(
                Command::new("generate")
                    .about("Make puzzles")
                    .after_help(
                        "Examples:\n  offprint use puzzleclone generate SPEC.yaml -n 1000 --seed 7 -o puzzles.jsonl\n  \
                        offprint use puzzleclone generate --all -n 83000 -o benchmark.jsonl",
                    )
                    .arg(
                        Arg::new("spec")
                            .value_name("SPEC")
                            .help("YAML file, or the name of a seed puzzle (see seeds)")
                            .required_unless_present("all")
                            .conflicts_with("all"),
                    )
                    .arg(flag("all", "From every seed puzzle of the library, none twice"))
                    .arg(whole("count", "100", "Number of puzzles").short('n'))
                    .arg(whole("seed", "0", "Seed of all draws"))
                    .arg(option("wording", "NAME", "Wording (language, theme, short form) of the texts"))
                    .arg(solver_option())
                    .arg(out("JSONL file for the puzzles, a line each"))
                    .arg(json()),
            )
            .subcommand(
                Command::new("check")
                    .about("Score answers")
                    .after_help("Example:\n  offprint use puzzleclone check puzzles.jsonl --answers answers.jsonl")
                    .arg(puzzles())
                    .arg(
                        path("answers", "ANSWERS.jsonl", "A line a puzzle: a text, a list of texts, or {\"answers\": [...]}")
                            .long("answers")
                            .required(true),
                    )
                    .arg(
                        path("out", "FILE.jsonl", "File for the verdicts, a line a puzzle")
                            .long("out")
                            .short('o'),
                    )
                    .arg(json()),
            )
            .subcommand(
                Command::new("reproduce")
                    .about("Make puzzles again, or reword")
                    .after_help(
                        "Examples:\n  offprint use puzzleclone reproduce puzzles.jsonl\n  offprint use puzzleclone \
                        reproduce puzzles.jsonl --redraw people --seed 2 -o others.jsonl",
                    )
                    .args([puzzles(), spec()])
                    .arg(
                        option("redraw", "A,B", "Variables to draw anew")
                            .value_delimiter(',')
                            .action(ArgAction::Append)
                            .requires("out"),
                    )
                    .arg(option("wording", "NAME", "Another wording").requires("out"))
                    .arg(whole("seed", "0", "Seed of what is drawn anew"))
                    .arg(
                        path("out", "FILE.jsonl", "File for the changed puzzles")
                            .long("out")
                            .short('o'),
                    )
                    .arg(solver_option())
                    .arg(json()),
            )
            .subcommand(
                Command::new("explain")
                    .about("Say why an answer is unique")
                    .after_help("Example:\n  offprint use puzzleclone explain puzzles.jsonl --line 3")
                    .args([puzzles(), spec()])
                    .arg(whole("line", "1", "Line of the puzzle"))
                    .arg(solver_option())
                    .arg(json()),
            )
            .subcommand(
                Command::new("dedupe")
                    .about("Leave out repeated puzzles")
                    .after_help("Example:\n  offprint use puzzleclone dedupe puzzles.jsonl -o distinct.jsonl")
                    .args([puzzles(), out("JSONL file for the puzzles that are left"), json()]),
            )
            .subcommand(
                Command::new("split")
                    .about("Split for training and test")
                    .after_help("Example:\n  offprint use puzzleclone split puzzles.jsonl --hold-out clock,stamps -o parts")
                    .arg(puzzles())
                    .arg(
                        option("hold-out", "A,B", "Seed puzzles that nothing is trained on")
                            .value_delimiter(',')
                            .action(ArgAction::Append),
                    )
                    .arg(whole("seed", "0", "Seed of the order"))
                    .arg(path("out", "DIR", "Folder for the parts").long("out").short('o').required(true))
                    .arg(json()),
            )
            .subcommand(
                Command::new("lint")
                    .about("Check a specification")
                    .after_help("Example:\n  offprint use puzzleclone lint SPEC.yaml")
                    .arg(Arg::new("spec").value_name("SPEC").help("YAML file, or the name of a seed puzzle").required(true))
                    .arg(whole("count", "20", "Puzzles to try").short('n'))
                    .arg(solver_option())
                    .arg(json()),
            )
            .subcommand(
                Command::new("seeds")
                    .about("List or print seed puzzles")
                    .after_help("Example:\n  offprint use puzzleclone seeds clock > clock.yaml")
                    .arg(Arg::new("name").value_name("NAME").help("Seed puzzle to print"))
                    .arg(json()),
            )
    }

    fn run(&self, matches: &ArgMatches) -> Result<()> {
        match matches.subcommand() {
            Some(("generate", matches)) => generate::generate(matches),
            Some(("lint", matches)) => generate::lint(matches),
            Some(("seeds", matches)) => generate::seeds(matches),
            Some(("check", matches)) => answers::check(matches),
            Some(("reproduce", matches)) => puzzles::reproduce(matches),
            Some(("explain", matches)) => puzzles::explain(matches),
            Some(("dedupe", matches)) => sets::dedupe(matches),
            Some(("split", matches)) => sets::split(matches),
            _ => unreachable!("the grammar requires one"),
        }
    }
}

fn out(help: &'static str) -> Arg {
    path("out", "FILE.jsonl", help)
        .long("out")
        .short('o')
        .required(true)
}

fn json() -> Arg {
    flag("json", "Print one JSON document")
}

/// The option that names a solver.
fn solver_option() -> Arg {
    option("solver", "NAME", "embedded, or z3 where it is built in").default_value("embedded")
}

fn solver(matches: &ArgMatches) -> Result<Box<dyn Solver>> {
    let name = matches.get_one::<String>("solver");
    match name.expect("it has a default").as_str() {
        "embedded" => Ok(Box::new(Embedded::default())),
        "z3" => z3(),
        other => Err(Error::unknown(
            "solver",
            other,
            ["embedded", "z3"],
            "solvers are embedded and z3",
        )),
    }
}

#[cfg(feature = "z3")]
fn z3() -> Result<Box<dyn Solver>> {
    Ok(Box::new(offprint_language::puzzles::Z3))
}

#[cfg(not(feature = "z3"))]
fn z3() -> Result<Box<dyn Solver>> {
    Err(Error::input("this offprint is built without the solver z3").help(
        "cargo build --release --features z3 (with libz3-dev and libclang-dev) or --features z3-bundled \
        (with CMake and GCC 13 or newer); --solver embedded solves all seed puzzles",
    ))
}

/// Text of a file.
fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path)
        .map_err(|error| Error::input(format!("cannot read {}: {error}", path.display())))?;
    String::from_utf8(bytes)
        .map_err(|_| Error::input(format!("{} is not UTF-8 text", path.display())))
}

/// A specification: a YAML file, or the name of a seed puzzle.
fn spec(name: &str) -> Result<Spec> {
    let path = Path::new(name);
    let is_file = path
        .extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml");
    if !is_file && !path.exists() {
        let list = "a YAML file, or one of: offprint use puzzleclone seeds";
        return seeds::get(name)
            .ok_or_else(|| Error::unknown("seed puzzle", name, seeds::names(), list));
    }
    Spec::from_yaml(&read(path)?).map_err(|error| in_file(path, &error))
}

fn in_file(path: &Path, error: &SpecError) -> Error {
    Error::input(format!("{} {error}", path.display()))
}

/// What a specification does wrong when puzzles are made.
fn failed(name: &str, error: GenerateError) -> Error {
    match error {
        GenerateError::Spec(error) => Error::input(format!("{name} {error}")),
        rejected @ GenerateError::Rejected { .. } => Error::input(format!("{name} {rejected}"))
            .help("looser conditions, more clues or a larger max_solutions; see offprint use puzzleclone lint"),
    }
}

/// Puzzles of a file.
fn read_puzzles(path: &Path) -> Result<Vec<Puzzle>> {
    let text = read(path)?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let puzzles: Vec<Puzzle> = lines
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| {
                Error::input(format!("{} line {}: {error}", path.display(), number + 1))
                    .help("puzzles are lines that offprint use puzzleclone generate wrote")
            })
        })
        .collect::<Result<_>>()?;
    if puzzles.is_empty() {
        return Err(Error::input(format!("{} holds no puzzle", path.display())));
    }
    Ok(puzzles)
}

/// Puzzles as lines.
fn lines(puzzles: &[Puzzle]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for puzzle in puzzles {
        serde_json::to_writer(&mut bytes, puzzle).expect("a puzzle is plain");
        bytes.push(b'\n');
    }
    bytes
}
