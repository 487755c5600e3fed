//! Small films for tests: tracks of samples whose bytes tell what they are. It writes what encoders
//! write, and shares no code with what reads it.

/// A film.
#[derive(Clone, Debug)]
pub struct Film {
    /// Its tracks.
    pub tracks: Vec<Track>,
    /// Whether its tables stand before its data.
    pub tables_first: bool,
    /// Whether offsets of chunks have 64 bits.
    pub wide_offsets: bool,
    /// Whether times have 64 bits.
    pub wide_times: bool,
}

/// A track.
#[derive(Clone, Debug)]
pub struct Track {
    /// Units of time in a second.
    pub timescale: u32,
    /// How long each sample is shown.
    pub times: Vec<u32>,
    /// How many samples each chunk has.
    pub chunks: Vec<u32>,
    /// Samples that are key frames, counted from 1; none if all are.
    pub key_frames: Vec<u32>,
    /// How much later each sample is shown than it is decoded; none if no sample is.
    pub compositions: Vec<u32>,
    /// The size that all samples have; 0 if each has its own.
    pub size: u32,
    /// Whether it is sound.
    pub sound: bool,
}

impl Track {
    /// A track with pictures: 25 a second, for some seconds, of which every tenth is a key frame.
    pub fn pictures(seconds: u32) -> Track {
        let count = seconds * 25;
        Track {
            timescale: 12800,
            times: (0..count)
                .map(|n| if n < count / 2 { 512 } else { 500 })
                .collect(),
            chunks: chunks(count, &[3, 3, 5, 5, 5, 2]),
            key_frames: (0..count).step_by(10).map(|n| n + 1).collect(),
            compositions: (0..count)
                .map(|n| [1024, 512, 512, 0][n as usize % 4])
                .collect(),
            size: 0,
            sound: false,
        }
    }

    /// A track with sound.
    pub fn sound(seconds: u32) -> Track {
        let count = seconds * 40;
        Track {
            timescale: 8000,
            times: vec![200; count as usize],
            chunks: chunks(count, &[7]),
            key_frames: Vec::new(),
            compositions: Vec::new(),
            size: 0,
            sound: true,
        }
    }

    /// The bytes of a sample.
    pub fn sample(&self, number: u32) -> Vec<u8> {
        let size = if self.size > 0 {
            self.size
        } else {
            6 + number * 7 % 23
        };
        let start = [u8::from(self.sound), (number >> 8) as u8, number as u8];
        start.into_iter().cycle().take(size as usize).collect()
    }

    fn length(&self, timescale: u32) -> u64 {
        let time: u64 = self.times.iter().map(|&time| u64::from(time)).sum();
        time * u64::from(timescale) / u64::from(self.timescale)
    }
}

/// So many samples in chunks of these sizes, over and over.
fn chunks(count: u32, sizes: &[u32]) -> Vec<u32> {
    let mut left = count;
    let mut chunks = Vec::new();
    for &size in sizes.iter().cycle() {
        if left == 0 {
            break;
        }
        chunks.push(size.min(left));
        left -= size.min(left);
    }
    chunks
}

/// Units of time in a second, for the film.
const TIMESCALE: u32 = 1000;

impl Film {
    /// A film with pictures and sound of some seconds.
    pub fn new(seconds: u32) -> Film {
        Film {
            tracks: vec![Track::pictures(seconds), Track::sound(seconds)],
            tables_first: false,
            wide_offsets: false,
            wide_times: false,
        }
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let kind = atom(b"ftyp", &[b"isom\0\0\x02\0isomiso2mp41"]);
        let free = atom(b"free", &[b"left out"]);
        let data = self.data();
        let start = match self.tables_first {
            true => kind.len() + free.len() + self.tables(0).len() + 8,
            false => kind.len() + free.len() + 8,
        };
        let tables = self.tables(start as u64);
        let data = atom(b"mdat", &[&data]);
        match self.tables_first {
            true => [kind, free, tables, data].concat(),
            false => [kind, free, data, tables].concat(),
        }
    }

    /// The chunks of all tracks in turn.
    fn data(&self) -> Vec<u8> {
        self.chunks().flat_map(|(_, bytes)| bytes).collect()
    }

    /// The chunks in the order in which they are in the file: their tracks and their bytes.
    fn chunks(&self) -> impl Iterator<Item = (usize, Vec<u8>)> {
        let most = self.tracks.iter().map(|track| track.chunks.len()).max();
        let turns =
            (0..most.unwrap_or(0)).flat_map(|at| (0..self.tracks.len()).map(move |it| (at, it)));
        turns.filter_map(|(at, number)| {
            let track = &self.tracks[number];
            let first: u32 = track.chunks.iter().take(at).sum();
            let count = *track.chunks.get(at)?;
            let bytes = (first..first + count).flat_map(|sample| track.sample(sample));
            Some((number, bytes.collect()))
        })
    }

    fn tables(&self, start: u64) -> Vec<u8> {
        let mut offsets = vec![Vec::new(); self.tracks.len()];
        let mut at = start;
        for (track, bytes) in self.chunks() {
            offsets[track].push(at);
            at += bytes.len() as u64;
        }
        let lengths = self.tracks.iter().map(|track| track.length(TIMESCALE));
        let header = [
            &self.times(Some(TIMESCALE), lengths.max().unwrap_or(0))[..],
            &[0; 80],
        ];
        let tracks = self.tracks.iter().zip(&offsets);
        let tracks: Vec<_> = tracks
            .flat_map(|(track, offsets)| self.track(track, offsets))
            .collect();
        let header = atom(b"mvhd", &header);
        atom(b"moov", &[&header, &tracks, &atom(b"udta", &[b"\0\0\0\0"])])
    }

    /// The start of a header: version, dates, units in a second or the number of a track, duration.
    fn times(&self, timescale: Option<u32>, duration: u64) -> Vec<u8> {
        let middle = match timescale {
            Some(timescale) => timescale.to_be_bytes().to_vec(),
            None => vec![0, 0, 0, 1, 0, 0, 0, 0],
        };
        match self.wide_times {
            true => [
                &[1, 0, 0, 0][..],
                &[9; 16],
                &middle,
                &duration.to_be_bytes(),
            ]
            .concat(),
            false => [
                &[0; 4][..],
                &[9; 8],
                &middle,
                &(duration as u32).to_be_bytes(),
            ]
            .concat(),
        }
    }

    fn track(&self, track: &Track, offsets: &[u64]) -> Vec<u8> {
        let header = self.times(None, track.length(TIMESCALE));
        let header = atom(b"tkhd", &[&header, &[0; 60]]);
        let edits = atom(b"edts", &[&atom(b"elst", &[&[0; 8]])]);
        let media = self.times(Some(track.timescale), track.length(track.timescale));
        let media = atom(b"mdhd", &[&media, &[0; 4]]);
        let handler = atom(
            b"hdlr",
            &[
                &[0; 8],
                if track.sound { b"soun" } else { b"vide" },
                &[0; 13],
            ],
        );
        let kind = match track.sound {
            true => atom(b"smhd", &[&[0; 8]]),
            false => atom(b"vmhd", &[&[0; 12]]),
        };
        let sources = atom(b"dinf", &[&atom(b"dref", &[&[0; 8]])]);
        let tables = self.sample_tables(track, offsets);
        let information = atom(b"minf", &[&kind, &sources, &tables]);
        let media = atom(b"mdia", &[&media, &handler, &information]);
        atom(b"trak", &[&header, &edits, &media])
    }

    fn sample_tables(&self, track: &Track, offsets: &[u64]) -> Vec<u8> {
        let mut tables = atom(
            b"stsd",
            &[&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 16], b"none", &[0; 8]],
        );
        let runs = |values: &[u32]| {
            let runs = values.chunk_by(|a, b| a == b);
            runs.map(|run| vec![run.len() as u32, run[0]])
                .collect::<Vec<_>>()
        };
        tables.extend(table(b"stts", &runs(&track.times)));
        if !track.key_frames.is_empty() {
            let frames: Vec<_> = track.key_frames.iter().map(|&frame| vec![frame]).collect();
            tables.extend(table(b"stss", &frames));
        }
        if !track.compositions.is_empty() {
            tables.extend(table(b"ctts", &runs(&track.compositions)));
        }
        let mut chunk = 1;
        let chunks = track.chunks.chunk_by(|a, b| a == b).map(|run| {
            let first = chunk;
            chunk += run.len() as u32;
            vec![first, run[0], 1]
        });
        tables.extend(table(b"stsc", &chunks.collect::<Vec<_>>()));
        let count = track.times.len() as u32;
        let sizes = (0..count).filter(|_| track.size == 0);
        let sizes = sizes.map(|number| track.sample(number).len() as u32);
        let numbers: Vec<_> = [0, track.size, count].into_iter().chain(sizes).collect();
        tables.extend(atom(b"stsz", &[&numbers_of(&numbers)]));
        let entries: Vec<_> = match self.wide_offsets {
            true => offsets
                .iter()
                .map(|&at| vec![(at >> 32) as u32, at as u32])
                .collect(),
            false => offsets.iter().map(|&at| vec![at as u32]).collect(),
        };
        let name = if self.wide_offsets { b"co64" } else { b"stco" };
        tables.extend(table(name, &entries));
        atom(b"stbl", &[&tables])
    }
}

fn atom(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let data = parts.concat();
    let size = (data.len() + 8) as u32;
    [&size.to_be_bytes()[..], name, &data].concat()
}

fn table(name: &[u8; 4], entries: &[Vec<u32>]) -> Vec<u8> {
    let start = [0, entries.len() as u32];
    atom(name, &[&numbers_of(&start), &numbers_of(&entries.concat())])
}

fn numbers_of(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}
