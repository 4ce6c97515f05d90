/** The records that the API speaks of. */

export type Role = 'clinician' | 'ml_engineer' | 'auditor' | 'admin';
export const ROLES: readonly Role[] = ['clinician', 'ml_engineer', 'auditor', 'admin'];

export type State = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
export type ReviewState = 'pending' | 'released' | 'rejected';
export type Verdict = 'release' | 'reject';
export type AgeGroup = 'child' | 'adult';
export type Sex = 'female' | 'male' | 'other';

export interface Page<T> {
  items: T[];
  total: number;
  page: number;
  page_size: number;
}

export interface Progress {
  step: number;
  total: number;
}

export interface User {
  id: string;
  username: string;
  display_name: string;
  roles: Role[];
  must_change_password: boolean;
  disabled?: boolean;
  created_at?: string;
}

export interface Tokens {
  access_token: string;
  expires_in: number;
  user: User;
}

/** A user as made or reset: the password is shown this once. */
export interface NewPassword {
  user: User;
  one_time_password: string;
}

export interface Upload {
  id: string;
  name: string;
  created_at: string;
  created_by: string;
  radiograph_count: number;
}

export interface Radiograph {
  id: string;
  upload_id: string;
  sha256: string;
  sop_instance_uid: string;
  patient_pseudonym: string;
  modality: string;
  view_position: string | null;
  laterality: string | null;
  age_years: number | null;
  sex: Sex | null;
  findings: string[];
  rows: number;
  columns: number;
  bits_stored: number;
  synthetic: boolean;
}

/** Work that a job does: a row that survives the server. */
export interface Job {
  id: string;
  created_at: string;
  created_by: string;
  state: State;
  progress: Progress;
  error?: string | null;
}

export interface SplitCount {
  train: number;
  validation: number;
}

/** `card.json` of a data set, as the engine writes it. */
export interface DatasetCard {
  name: string;
  licence: string;
  attribution: string;
  created: string;
  engine_version: string;
  seed: number;
  sources_sha256: string;
  duplicates_dropped: number;
  samples: SplitCount;
  patients: SplitCount;
  findings: Record<string, SplitCount>;
  age_groups: Record<string, SplitCount>;
  sexes: Record<string, SplitCount>;
  view_positions: Record<string, SplitCount>;
}

export interface Dataset extends Job {
  name: string;
  upload_ids: string[];
  card: DatasetCard | null;
  counts: { train: number; validation: number; train_patients: number; validation_patients: number } | null;
}

export interface Sample {
  id: string;
  caption: string;
  split: 'train' | 'validation';
  patient: string;
  findings: string[];
  age_group: AgeGroup | null;
  age_years: number | null;
  sex: Sex | null;
  view_position: string | null;
  width: number;
  height: number;
  sha256: string;
}

export interface RunConfig {
  method: string;
  rank: number;
  alpha: number;
  steps: number;
  batch_size: number;
  learning_rate: number;
  seed: number;
}

export interface Run extends Job {
  name: string;
  dataset_id: string;
  config: RunConfig;
  validation_loss_before: number | null;
  validation_loss_after: number | null;
  promoted_at: string | null;
}

export type TrainEvent =
  | { event: 'started'; total_steps: number }
  | {
      event: 'step';
      step: number;
      total_steps: number;
      loss: number;
      learning_rate: number;
      seconds_left: number | null;
    }
  | { event: 'validation'; step: number; loss: number }
  | { event: 'checkpoint'; step: number }
  | { event: 'finished'; [key: string]: unknown };

export interface ModelCard {
  name: string;
  version: string;
  image_size: number;
  findings: string[];
  default_steps: number;
  default_guidance_scale: number;
  licence: string;
  attribution: string;
  description: string;
  limits: string;
  weights_sha256: string;
}

export interface Adapter {
  id: string;
  name: string;
  promoted_at: string | null;
}

export interface Models {
  base: ModelCard;
  adapters: Adapter[];
}

export interface Finding {
  slug: string;
  name: string;
  snomed: string | null;
}

export interface Prompt {
  findings: string[];
  age_group: AgeGroup | null;
  sex: Sex | null;
  view_position: string | null;
  text: string | null;
}

export interface GenerationRequest {
  prompt: Prompt;
  negative: string | null;
  seed?: number;
  steps?: number;
  guidance_scale?: number;
  count?: number;
  adapter_id?: string | null;
  adapter_scale?: number;
}

export interface Generation extends Job {
  request: GenerationRequest & { sentence?: string };
}

export interface SyntheticImage {
  id: string;
  generation_id: string;
  index: number;
  seed: number;
  sha256: string;
  provenance: Provenance;
  review_state: ReviewState;
  created_at?: string;
}

export interface Provenance {
  program: string;
  version: string;
  model: string;
  model_sha256: string;
  adapters: [string, number][];
  seed: number;
  steps: number;
  guidance_scale: number;
  scheduler: string;
  [key: string]: unknown;
}

export interface Review {
  id: string;
  image_id: string;
  reviewer: string;
  reviewer_name?: string;
  verdict: Verdict;
  reason: string | null;
  realism: number | null;
  created_at: string;
}

export interface AuditEvent {
  sequence: number;
  recorded_at: string;
  actor_id: string | null;
  actor_name: string;
  actor_roles: string | string[];
  action: string;
  object_type: string;
  object_id: string;
  outcome: string;
  detail: unknown;
  source_address: string;
  previous_hash: string;
  hash: string;
}

export interface Verification {
  intact: boolean;
  checked: number;
  first_broken?: { sequence: number; cause: string } | null;
}
