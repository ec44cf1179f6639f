export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  state: 'active' | 'replaced' | 'expired' | 'revoked';
  roles: string[];
  permissions: string[];
  namespaces: string[] | null;
  created_at: string;
  created_by: string;
  expires_at: string | null;
  last_used_at: string | null;
}

export interface CreatedKey extends ApiKey {
  key: string;
}
