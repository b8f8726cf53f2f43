(function () {
  "use strict";
  var box = document.getElementById("filter");
  if (!box) { return; }
  var rows = Array.prototype.slice.call(document.querySelectorAll("#customer-rows tr"));
  var texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
  var shown = document.getElementById("shown");
  document.getElementById("search").hidden = false;
  box.addEventListener("input", function () {
    var wanted = box.value.toLowerCase().split(" ").filter(Boolean);
    var found = 0;
    rows.forEach(function (row, index) {
      var fits = wanted.every(function (word) { return texts[index].indexOf(word) !== -1; });
      row.hidden = !fits;
      if (fits) { found += 1; }
    });
    shown.textContent = String(found);
  });
}());
