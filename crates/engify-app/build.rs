//! Lists the files of `content/` as constants, so that the library ships inside the program.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    // From the package's folder, in which cargo starts this; another clone may share what was compiled.
    let content = Path::new("../../content").canonicalize()?;
    let mut code = String::new();
    for (name, folder) in [("PROMPTS", "prompts"), ("PATTERNS", "patterns")] {
        let folder = content.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files: Vec<_> = fs::read_dir(&folder)?.collect::<io::Result<Vec<_>>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        code.push_str("/// File name and text of each file.\n");
        code.push_str(&format!("pub(crate) const {name}: &[(&str, &str)] = &[\n"));
        for file in files {
            let file_name = file.file_name();
            let Some(file_name) = file_name.to_str().filter(|name| name.ends_with(".md")) else { continue };
            code.push_str(&format!("    ({file_name:?}, include_str!({:?})),\n", file.path()));
        }
        code.push_str("];\n");
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo tells a build script where to write through the environment"
    )]
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("content.rs"), code)
}
