/** `createdAt` as `created_at`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (sign) => `_${sign.toLowerCase()}`);
}

/** `created_at` as `createdAt`. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
