export { isNamespace, NAMESPACE_RULE } from '../model/namespace.ts';
