// A file of its own, so that the command line checks a namespace without loading the schema library.
export { isNamespace, NAMESPACE_RULE } from '../model/namespace.ts';
