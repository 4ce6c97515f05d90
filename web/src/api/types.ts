/** The records that the API speaks of: names for what `npm run api` reads from its description. */
import type { components } from './schema';

type Schemas = components['schemas'];
/** An answer holds every field; one without a value is null. */
type Answer<Name extends keyof Schemas> = Required<Schemas[Name]>;

export type Role = Schemas['Role'];
export const ROLES: readonly Role[] = ['clinician', 'ml_engineer', 'auditor', 'admin'];

export type State = Schemas['State'];
export type ReviewState = Schemas['ReviewState'];
export type Verdict = Schemas['Verdict'];
export type AgeGroup = Schemas['AgeGroup'];
export type Sex = Schemas['Sex'];

export interface Page<T> {
  items: T[];
  total: number;
  page: number;
  page_size: number;
}

export type Progress = Schemas['Progress'];
export type User = Answer<'UserView'>;
export type NewUser = Schemas['CreateUser'];
export type ChangeUser = Schemas['ChangeUser'];
export type Session = Answer<'SessionView'>;
/** A user as made or reset: the password is shown this once. */
export type NewPassword = Answer<'NewPasswordView'>;

export type CheckState = Schemas['CheckState'];
export type Decision = Schemas['Decision'];
export type Decided = Answer<'Decided'>;
export type Verified = Answer<'VerificationView'>;
export type Upload = Answer<'UploadView'>;
export type Radiograph = Answer<'RadiographView'>;

/** Work that a job does: a row that survives the server. */
export type Job = Pick<Dataset, 'id' | 'created_at' | 'state' | 'progress' | 'error'>;

export type SplitCount = Schemas['SplitCount'];
export type DatasetCard = Schemas['DatasetCard'];
export type Dataset = Answer<'DatasetView'>;
export type NewDataset = Schemas['NewDataset'];
export type Sample = Answer<'SampleView'>;

export type RunConfig = Schemas['RunConfig'];
export type NewRun = Schemas['NewRun'];
export type Run = Answer<'RunView'>;
export type TrainEvent = Schemas['TrainEvent'];

export type ModelCard = Schemas['ModelView'];
export type Adapter = Answer<'AdapterView'>;
export type Models = Omit<Schemas['ModelsView'], 'adapters'> & { adapters: Adapter[] };
export type Finding = Answer<'FindingView'>;

/** A finding by its word alone, or with place, severity and weight. */
export type PromptFinding = Schemas['PromptFinding'];
export type PromptFindingParts = Schemas['PromptFindingParts'];
export type PromptNote = Schemas['PromptNote'];
export type Prompt = Omit<Schemas['Prompt'], 'age_group' | 'sex'> & { age_group: AgeGroup | null; sex: Sex | null };
export type NewGeneration = Omit<Schemas['NewGeneration'], 'prompt'> & { prompt: Prompt };
export type GenerationRequest = Omit<Answer<'GenerationRequest'>, 'prompt'> & { prompt: Prompt };
export type Generation = Omit<Answer<'GenerationView'>, 'request'> & { request: GenerationRequest };

export type SyntheticImage = Answer<'ImageView'>;
export type Provenance = Schemas['Provenance'];
export type Review = Answer<'ReviewView'>;
export type NewReview = Schemas['NewReview'];

export type Destination = Answer<'DestinationView'>;
export type DestinationKind = Schemas['DestinationKind'];
export type Authentication = Schemas['Authentication'];
export type DestinationSettings = Schemas['DestinationSettings'];
export type NewDestination = Schemas['NewDestination'];
export type Echo = Answer<'EchoView'>;
export type NewTransfer = Schemas['NewTransfer'];
export type Transfer = Answer<'TransferView'>;

export type AuditEvent = Answer<'AuditEventView'>;
export type Verification = Answer<'VerdictView'>;
/** Forms that the log is exported in, and how the file's name ends. */
export const EXPORT_FORMS = { csv: 'csv', jsonl: 'jsonl', 'atna-xml': 'xml', 'atna-xml-early': 'xml', balp: 'ndjson' } as const;
export type ExportForm = keyof typeof EXPORT_FORMS;
