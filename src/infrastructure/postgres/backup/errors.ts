/** No backup can be made, or none restored. The message is for people: why, and what to do. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}
