//! Fingerprints the code that a study's numbers depend on, so that finished trials are reused exactly as long as they
//! would come out the same: the library below the papers, the locked dependencies, and the paper's own `study`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = manifest.join("../..");
    let mut library = Hash::default();
    library.file(&root.join("Cargo.lock"));
    for entry in files(&root.join("crates")) {
        // The lab, the cards and the program decide what is shown, not what a trial computes.
        let path = entry
            .strip_prefix(&root)
            .expect("below the root")
            .to_path_buf();
        let crate_name = path.components().nth(1).map(|c| c.as_os_str().to_owned());
        let shown = ["lab", "papers", "offprint", "web"];
        if path
            .components()
            .nth(2)
            .is_some_and(|c| c.as_os_str() == "src")
            && crate_name.is_some_and(|name| !shown.iter().any(|shown| name == *shown))
        {
            library.file(&entry);
        }
    }
    let mut versions = String::new();
    for paper in folders(&manifest.join("src")) {
        // A paper's own study, and further ones: `comet/study` is that of comet, `comet/language/study` of comet-language.
        for folder in std::iter::once(paper.clone()).chain(folders(&paper)) {
            let study: Vec<_> = files(&folder)
                .into_iter()
                .filter(|path| {
                    let relative = path.strip_prefix(&folder).expect("below the folder");
                    relative.starts_with("study") || relative == Path::new("study.rs")
                })
                .collect();
            if study.is_empty() {
                continue;
            }
            let mut hash = library;
            for path in study {
                hash.file(&path);
            }
            // Cargo's folders are named by slugs written as Rust identifiers.
            let name = folder
                .strip_prefix(manifest.join("src"))
                .expect("below the sources");
            let slug = name.to_string_lossy().replace(['_', '/', '\\'], "-");
            versions += &format!("    (\"{slug}\", \"{:016x}\"),\n", hash.0);
        }
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let revision = revision(&root);
    let text = format!(
        "pub(crate) const REVISION: &str = \"{revision}\";\npub(crate) const LIBRARY: &str = \"{:016x}\";\npub(crate) const VERSIONS: &[(&str, &str)] = &[\n{versions}];\n",
        library.0
    );
    fs::write(out.join("build.rs"), text).expect("cargo's folder is writable");
    println!("cargo::rerun-if-changed=../");
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    for name in ["../../.git/HEAD", "../../.git/logs/HEAD"] {
        if manifest.join(name).exists() {
            println!("cargo::rerun-if-changed={name}");
        }
    }
}

/// Git's short revision, with `+` where tracked files differ from it; `unknown` outside a checkout.
fn revision(root: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_string())
    };
    let Some(revision) = git(&["rev-parse", "--short=10", "HEAD"]) else {
        return "unknown".into();
    };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => revision,
        _ => revision + "+",
    }
}

/// The folders in a folder, sorted.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the sources are readable");
    let paths = entries.map(|entry| entry.expect("the sources are readable").path());
    let mut found: Vec<_> = paths.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// Every file below a folder, sorted; none if it is not a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("the sources are readable").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// FNV-1a with 64 bits: enough to tell two versions apart, the same on every platform.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn file(&mut self, path: &Path) {
        for byte in fs::read(path).unwrap_or_default() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
