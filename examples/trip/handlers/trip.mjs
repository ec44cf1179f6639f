import { defineHandler, PermanentError } from 'tasker-core';

export const bookFlight = defineHandler('trip.book_flight', { inputs: { trip: 'trip' } }, ({ trip }) => ({
  booking: `flight-${trip}`,
}));

export const bookHotel = defineHandler('trip.book_hotel', { inputs: { trip: 'trip' } }, ({ trip }) => ({
  booking: `hotel-${trip}`,
}));

export const bookCar = defineHandler('trip.book_car', { inputs: { trip: 'trip', cars: 'cars' } }, ({ trip, cars }) => {
  if (cars === 0) throw new PermanentError('no car is left');
  return { booking: `car-${trip}` };
});

export const confirm = defineHandler('trip.confirm', { inputs: { trip: 'trip' } }, ({ trip }) => ({
  letter: `your trip ${trip} is booked`,
}));

/** The handler of an undo reads the result of the step that it undoes. Its own id is the key of the cancellation. */
const cancel = ({ context }) => ({ cancelled: context.undo.result.booking, key: context.stepUuid });

export const cancelFlight = defineHandler('trip.cancel_flight', {}, cancel);
export const cancelHotel = defineHandler('trip.cancel_hotel', {}, cancel);

/** The step may have failed: then it has no result, and the booking is looked up. */
export const cancelCar = defineHandler('trip.cancel_car', { inputs: { trip: 'trip' } }, ({ trip, context }) => {
  const { result, error } = context.undo;
  return { cancelled: result?.booking ?? `any car of trip ${trip}`, because: error?.message ?? null };
});
