/** What happened to a key. */
export type ApiKeyEvent = Readonly<{
  type: 'api_key_created' | 'api_key_updated' | 'api_key_rotated' | 'api_key_revoked';
  apiKeyId: number;
}>;
