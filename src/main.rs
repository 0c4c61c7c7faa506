//! The program's door.

use std::process::ExitCode;

fn main() -> ExitCode {
    hip3::command::main()
}
