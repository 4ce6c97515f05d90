//! What unit tests of several rooms share: radiographs made from nothing, and a place with records,
//! objects and queues.

#![allow(clippy::unwrap_used)]

mod archive;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sea_orm::{ActiveModelTrait, ConnectionTrait, Database, DatabaseConnection, Schema, Set};
use serde_json::json;
use skiagraph_compliance::audit::{GENESIS, Signer};
use skiagraph_engine::device::{CancelToken, Device};
use skiagraph_engine::dicom::{Columns, Frame, WrapOptions, render_png, wrap};
use skiagraph_engine::train::{self, TrainConfig};
use tempfile::TempDir;

use crate::audit::{Actor, Change};
use crate::entities;
use crate::intake::{self, Import, Janitor, Limits, NewUpload, ReceivedFile, Scratch};
use crate::jobs::Queue;
use crate::models::datasets::{self, NewDataset};
use crate::storage::{Folders, Storage};

pub(crate) use archive::WebArchive;

pub(crate) fn frame(shade: f32) -> Frame {
    let pixels = (0..64 * 64).map(|index| (index % 64) as f32 / 80.0 * shade).collect();
    Frame { width: 64, height: 64, pixels }
}

/// Objects of as many patients, wrapped from pictures as `dicom wrap` does it.
pub(crate) fn radiographs(count: usize) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    let mut table = "file,findings,patient,age,sex,view\n".to_owned();
    for index in 0..count {
        let png = render_png(&frame(0.5 + index as f32 / 100.0), None).unwrap();
        fs::write(images.join(format!("{index}.png")), png).unwrap();
        writeln!(table, "{index}.png,normal,P{index},4,M,AP").unwrap();
    }
    fs::write(folder.path().join("labels.csv"), table).unwrap();
    let options = WrapOptions {
        images,
        table: folder.path().join("labels.csv"),
        out: folder.path().join("out"),
        columns: Columns::default(),
        ..WrapOptions::default()
    };
    wrap(&options, &mut |_, _| {}).unwrap();
    let mut paths = Vec::new();
    collect(&options.out, &mut paths);
    paths.sort();
    let objects: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let is_dicom = |bytes: &Vec<u8>| bytes.get(128..132) == Some(b"DICM");
    let objects: Vec<_> = objects.into_iter().filter(is_dicom).collect();
    assert_eq!(objects.len(), count);
    objects
}

fn collect(folder: &Path, paths: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, paths) } else { paths.push(path) }
    }
}

pub(crate) struct Place {
    _folder: TempDir,
    pub(crate) db: DatabaseConnection,
    pub(crate) storage: Storage,
    pub(crate) folders: Folders,
    pub(crate) queue: Queue,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("objects")).unwrap();
        let url = format!("sqlite://{}?mode=rwc", root.join("db.sqlite").display());
        let db = Box::pin(Database::connect(url)).await.unwrap();
        create_tables(&db).await;
        let folders = Folders::new(root);
        Self {
            queue: Queue::open(&folders.queue()).await.unwrap(),
            storage: Storage::folder(&root.join("objects")).unwrap(),
            folders,
            db,
            _folder: folder,
        }
    }

    /// An upload of this many radiographs, each of another patient.
    pub(crate) async fn upload(&self, count: usize) -> String {
        let scratch = Scratch::new(&self.folders.scratch()).unwrap();
        let files: Vec<ReceivedFile> = radiographs(count)
            .into_iter()
            .enumerate()
            .map(|(index, bytes)| {
                let path = scratch.path().join(format!("test-{index}"));
                fs::write(&path, &bytes).unwrap();
                ReceivedFile { label: String::new(), path, bytes: bytes.len() as u64 }
            })
            .collect();
        let examiner = intake::examiner(&[7; 32]).unwrap();
        let checked = intake::check(&files, &scratch, &Limits::default(), &examiner).unwrap();
        let id = uuid::Uuid::now_v7().to_string();
        let upload = NewUpload { id: &id, name: "set", created_by: "u", pseudonym_key: b"key" };
        let import = Import { upload, piece: None, by: None, checked: &checked };
        let janitor = Janitor::new(self.db.clone(), self.storage.clone());
        let change = Change::begin(&self.db, Signer::new(&[7; 32]), Actor::system("test"));
        import.keep(&janitor, &scratch, change).await.unwrap();
        id
    }

    pub(crate) async fn dataset(&self, upload: &str, id: &str) {
        let new = NewDataset {
            id: id.to_owned(),
            name: "data".to_owned(),
            upload_ids: vec![upload.to_owned()],
            validation_fraction: 0.25,
            seed: 1,
            licence: "CC BY 4.0".to_owned(),
            attribution: "nobody".to_owned(),
            created_by: "u".to_owned(),
        };
        datasets::insert(&self.db, new).await.unwrap();
    }
}

async fn create_tables(db: &DatabaseConnection) {
    let schema = Schema::new(db.get_database_backend());
    for table in [
        schema.create_table_from_entity(entities::uploads::Entity),
        schema.create_table_from_entity(entities::radiographs::Entity),
        schema.create_table_from_entity(entities::datasets::Entity),
        schema.create_table_from_entity(entities::dataset_uploads::Entity),
        schema.create_table_from_entity(entities::runs::Entity),
        schema.create_table_from_entity(entities::run_metrics::Entity),
        schema.create_table_from_entity(entities::generations::Entity),
        schema.create_table_from_entity(entities::images::Entity),
        schema.create_table_from_entity(entities::image_identifiers::Entity),
        schema.create_table_from_entity(entities::reviews::Entity),
        schema.create_table_from_entity(entities::instances::Entity),
        schema.create_table_from_entity(entities::transfers::Entity),
        schema.create_table_from_entity(entities::destinations::Entity),
        schema.create_table_from_entity(entities::users::Entity),
        schema.create_table_from_entity(entities::user_roles::Entity),
        schema.create_table_from_entity(entities::audit_events::Entity),
        schema.create_table_from_entity(entities::audit_head::Entity),
    ] {
        db.execute(&table).await.unwrap();
    }
    let hash = Set(GENESIS.to_owned());
    let head = entities::audit_head::ActiveModel { id: Set(1), sequence: Set(0), hash };
    head.insert(db).await.unwrap();
}

/// Trains the smallest model that there can be on a data set, for a few steps; it makes images of
/// 32 × 32 pixels that show nothing. Returns its folder.
pub(crate) fn tiny_model(dataset: &Path, folder: &Path) -> std::path::PathBuf {
    let train = |config: serde_json::Value| {
        let config: TrainConfig = serde_json::from_value(config).unwrap();
        train::run(&config, false, &Device::Cpu, &mut |_| {}, &CancelToken::new()).unwrap().output
    };
    let vae = train(json!({
        "task": "vae", "dataset": dataset, "out": folder.join("vae"), "steps": 2, "batch_size": 2,
        "image_size": 32,
        "vae": {
            "in_channels": 1, "out_channels": 1, "latent_channels": 4, "block_out_channels": [8, 8],
            "layers_per_block": 1, "norm_num_groups": 4, "scaling_factor": 1.0, "sample_size": 32,
            "patch_size": 4,
        },
    }));
    train(json!({
        "task": "base", "model": vae, "dataset": dataset, "out": folder.join("base"), "steps": 2,
        "batch_size": 2,
        "text": {
            "vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 24,
        },
        "unet": {
            "sample_size": 4, "in_channels": 4, "out_channels": 4, "block_out_channels": [8, 16],
            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
            "layers_per_block": 1, "cross_attention_dim": 16, "attention_head_dim": 2,
            "norm_num_groups": 4,
        },
        "card": {
            "name": "tiny", "version": "0", "description": "shows nothing", "image_size": 32,
            "findings": [], "default_steps": 4, "default_guidance_scale": 3.0, "licence": "none",
            "attribution": [], "training": "", "limits": "everything",
        },
    }))
}
