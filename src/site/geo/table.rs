//! What an address means, found in as many steps as the number of boundaries has binary digits.

/// Values of all addresses: each holds from its start to the next one's.
#[derive(Debug)]
pub struct Table<A> {
    starts: Vec<A>,
    values: Vec<u32>,
}

impl<A: Copy + Default + Ord> Table<A> {
    /// All addresses have this value.
    pub fn new(value: u32) -> Table<A> {
        Table {
            starts: vec![A::default()],
            values: vec![value],
        }
    }

    /// From this address on another value holds. The addresses come in their order; of two that
    /// are the same the later one counts.
    pub fn push(&mut self, start: A, value: u32) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    /// The value of an address.
    pub fn find(&self, address: A) -> usize {
        let behind = self.starts.partition_point(|start| *start <= address);
        // The first start is the least address.
        self.values[behind.saturating_sub(1)] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_holds_to_the_next() {
        let mut table = Table::new(0);
        for (start, value) in [(10u32, 1), (20, 2), (20, 1), (30, 0), (40, 3)] {
            table.push(start, value);
        }
        assert_eq!(table.starts, [0, 10, 30, 40]);
        for (address, value) in [(0, 0), (9, 0), (10, 1), (29, 1), (30, 0), (u32::MAX, 3)] {
            assert_eq!(table.find(address), value, "{address}");
        }
        table.push(40, 0);
        assert_eq!(table.starts, [0, 10, 30]);
    }
}
