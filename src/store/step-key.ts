/** A step by its key. */
export interface StepKey {
  taskUuid: string;
  idx: number;
}

/** A step by its key, and the fence of the claim that holds it. */
export interface HeldKey extends StepKey {
  claim: number;
}
