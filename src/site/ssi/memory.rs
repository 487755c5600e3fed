//! What pages remember: variables, captures and blocks, which a page shares with the pages it
//! includes. All of it together is bounded.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::http::Bytes;
use crate::site::exchange::Exchange;
use crate::site::variables;

/// Bytes that one request remembers.
const ROOM: usize = 1 << 20;

/// Bytes of a variable's value.
const LONGEST: usize = 64 << 10;

/// What an exchange has of it: the memory, and what is its own.
#[derive(Debug, Default)]
pub struct Ssi {
    memory: Rc<RefCell<Memory>>,
    /// How times are shown (`config timefmt`), unless as nginx shows them.
    pub time_format: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Memory {
    variables: HashMap<Vec<u8>, Bytes>,
    captures: Vec<Vec<u8>>,
    blocks: Vec<(Vec<u8>, Vec<u8>)>,
    used: usize,
}

/// There is no room for more.
#[derive(Debug)]
pub struct Full;

impl Memory {
    fn take(&mut self, size: usize) -> Result<(), Full> {
        let used = self.used.saturating_add(size);
        if used > ROOM {
            return Err(Full);
        }
        self.used = used;
        Ok(())
    }
}

impl Ssi {
    /// That of an exchange within this one's.
    pub fn within(&self) -> Ssi {
        Ssi {
            memory: self.memory.clone(),
            time_format: None,
        }
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// It would be too long, or too much in all.
    pub fn set(&self, name: &[u8], value: Vec<u8>) -> Result<(), Full> {
        let mut memory = self.memory.borrow_mut();
        if value.len() > LONGEST {
            return Err(Full);
        }
        let name = name.to_ascii_lowercase();
        let before = memory.variables.get(&name).map(|value| value.len());
        let grows = value.len() + if before.is_none() { name.len() } else { 0 };
        memory.take(grows.saturating_sub(before.unwrap_or(0)))?;
        memory.used -= before.unwrap_or(0).saturating_sub(grows);
        let value: std::sync::Arc<[u8]> = value.into();
        memory.variables.insert(name, value.into());
        Ok(())
    }

    /// Sets the captures of a pattern.
    pub fn capture(&self, captures: Vec<Vec<u8>>) {
        self.memory.borrow_mut().captures = captures;
    }

    /// Whether a page has set this variable.
    pub fn knows(&self, name: &[u8]) -> bool {
        let name = name.to_ascii_lowercase();
        self.memory.borrow().variables.contains_key(&name)
    }

    /// The value of a variable that a page has set, or of a capture.
    fn value(&self, name: &[u8]) -> Option<Bytes> {
        let memory = self.memory.borrow();
        if let [digit @ b'0'..=b'9'] = name
            && let Some(capture) = memory.captures.get(usize::from(digit - b'0'))
        {
            return Some(capture.clone().into());
        }
        memory.variables.get(&name.to_ascii_lowercase()).cloned()
    }

    /// Opens a block of this name.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn open_block(&self, name: &[u8]) -> Result<(), Full> {
        let mut memory = self.memory.borrow_mut();
        memory.take(name.len() + 32)?;
        memory.blocks.push((name.to_vec(), Vec::new()));
        Ok(())
    }

    /// Appends to the block that was opened last.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn add_to_block(&self, text: &[u8]) -> Result<(), Full> {
        let mut memory = self.memory.borrow_mut();
        memory.take(text.len())?;
        if let Some((_, block)) = memory.blocks.last_mut() {
            block.extend_from_slice(text);
        }
        Ok(())
    }

    /// The text of the first block of this name.
    pub fn block(&self, name: &[u8]) -> Option<Vec<u8>> {
        let memory = self.memory.borrow();
        let mut blocks = memory.blocks.iter();
        blocks.find_map(|(known, text)| (known == name).then(|| text.clone()))
    }
}

/// The value of a variable: one that a page has set, a capture, or one of the server's.
pub fn value(x: &Exchange, name: &[u8]) -> Option<Bytes> {
    if let Some(value) = x.ssi.as_ref().and_then(|ssi| ssi.value(name)) {
        return Some(value);
    }
    let mut out = Vec::new();
    let found = variables::find(x, name)?.write(x, &mut out);
    found.then(|| out.into())
}
