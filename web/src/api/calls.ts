/** Every call that the pages make, one line each. */
import { address, file, json, type Query } from './client';
import type * as T from './types';

const page = (number: number, size: number) => ({ page: number, page_size: size });

export const auth = {
  login: (username: string, password: string) =>
    json<T.Session>('POST', '/auth/login', { body: { username, password }, anonymous: true }),
  refresh: () => json<T.Session>('POST', '/auth/refresh', { body: {}, anonymous: true }),
  logout: () => json<void>('POST', '/auth/logout', { body: {} }),
  me: () => json<T.User>('GET', '/auth/me'),
  password: (current_password: string, new_password: string) =>
    json<void>('POST', '/auth/password', { body: { current_password, new_password } }),
};

export const users = {
  list: (number: number, size = 50) => json<T.Page<T.User>>('GET', '/users', { query: page(number, size) }),
  create: (body: T.NewUser) =>
    json<T.NewPassword>('POST', '/users', { body }),
  change: (id: string, body: T.ChangeUser) =>
    json<T.User>('PATCH', `/users/${id}`, { body }),
  resetPassword: (id: string) => json<T.NewPassword>('POST', `/users/${id}/password-reset`, { body: {} }),
};

export const uploads = {
  list: (number = 1, size = 50) => json<T.Page<T.Upload>>('GET', '/uploads', { query: page(number, size) }),
  get: (id: string) => json<T.Upload>('GET', `/uploads/${id}`),
  decide: (id: string, decision: T.Decision) =>
    json<T.Decided>('POST', `/uploads/${id}/decisions`, { body: { decision } }),
};

export const radiographs = {
  list: (upload_id: string, check_state: T.CheckState | undefined, number: number, size: number) =>
    json<T.Page<T.Radiograph>>('GET', '/radiographs', { query: { upload_id, check_state, ...page(number, size) } }),
  decide: (id: string, decision: T.Decision) =>
    json<T.Radiograph>('POST', `/radiographs/${id}/decision`, { body: { decision } }),
  rendered: (id: string, signal: AbortSignal) => file(`/radiographs/${id}/rendered`, {}, signal),
};

export const datasets = {
  list: (number = 1, size = 50) => json<T.Page<T.Dataset>>('GET', '/datasets', { query: page(number, size) }),
  get: (id: string) => json<T.Dataset>('GET', `/datasets/${id}`),
  create: (body: T.NewDataset) => json<T.Dataset>('POST', '/datasets', { body }),
  samples: (id: string, number: number, size: number) =>
    json<T.Page<T.Sample>>('GET', `/datasets/${id}/samples`, { query: page(number, size) }),
};

export const runs = {
  list: (number = 1, size = 50) => json<T.Page<T.Run>>('GET', '/runs', { query: page(number, size) }),
  get: (id: string) => json<T.Run>('GET', `/runs/${id}`),
  create: (body: T.NewRun) => json<T.Run>('POST', '/runs', { body }),
  metrics: (id: string) => json<T.TrainEvent[]>('GET', `/runs/${id}/metrics`),
  cancel: (id: string) => json<T.Run>('POST', `/runs/${id}/cancel`, { body: {} }),
  promote: (id: string) => json<T.Run>('POST', `/runs/${id}/promote`, { body: {} }),
};

export const models = () => json<T.Models>('GET', '/models');
export const findings = () => json<T.Page<T.Finding>>('GET', '/findings', { query: page(1, 500) });

export const generations = {
  list: (number = 1, size = 20) =>
    json<T.Page<T.Generation>>('GET', '/generations', { query: page(number, size) }),
  get: (id: string) => json<T.Generation>('GET', `/generations/${id}`),
  create: (body: T.NewGeneration) => json<T.Generation>('POST', '/generations', { body }),
  cancel: (id: string) => json<T.Generation>('POST', `/generations/${id}/cancel`, { body: {} }),
};

export const images = {
  list: (query: Query) => json<T.Page<T.SyntheticImage>>('GET', '/images', { query }),
  get: (id: string) => json<T.SyntheticImage>('GET', `/images/${id}`),
  dicom: (id: string, signal?: AbortSignal) => file(`/images/${id}/file`, {}, signal),
  png: (id: string, signal?: AbortSignal) => file(`/images/${id}/png`, {}, signal),
  report: (id: string) => file(`/images/${id}/report`),
  reviews: (id: string) => json<T.Page<T.Review>>('GET', `/images/${id}/reviews`),
  review: (id: string, body: T.NewReview) =>
    json<T.Review>('POST', `/images/${id}/reviews`, { body }),
};

export const destinations = {
  list: (number = 1, size = 500) =>
    json<T.Page<T.Destination>>('GET', '/destinations', { query: page(number, size) }),
  create: (body: T.NewDestination) => json<T.Destination>('POST', '/destinations', { body }),
  change: (name: string, body: T.DestinationSettings) =>
    json<T.Destination>('PUT', `/destinations/${encodeURIComponent(name)}`, { body }),
  remove: (name: string) => json<void>('DELETE', `/destinations/${encodeURIComponent(name)}`),
  echo: (name: string) => json<T.Echo>('POST', `/destinations/${encodeURIComponent(name)}/echo`, { body: {} }),
};

export const transfers = {
  list: (number: number, size: number) => json<T.Page<T.Transfer>>('GET', '/transfers', { query: page(number, size) }),
  get: (id: string) => json<T.Transfer>('GET', `/transfers/${id}`),
  create: (body: T.NewTransfer) => json<T.Transfer>('POST', '/transfers', { body }),
};

export const audit = {
  events: (query: Query) => json<T.Page<T.AuditEvent>>('GET', '/audit/events', { query }),
  export: (format: T.ExportForm, query: Query) => file('/audit/export', { format, ...query }),
  publicKey: () => file('/audit/public-key'),
  verify: () => json<T.Verification>('POST', '/audit/verify', { body: {} }),
};

export { address };
