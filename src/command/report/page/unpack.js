// The two long texts of the page, the report and the library of plots, are packed: a tenth as long.
"use strict";

/** The text that an element holds as gzip in base64. Throws where the browser cannot unpack it. */
async function unpacked(id) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("it is packed, which browsers before 2023 cannot read; a newer one can");
  }
  const packed = Uint8Array.from(atob($(id).textContent), (byte) => byte.charCodeAt(0));
  $(id).remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}
