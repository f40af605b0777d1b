#!/usr/bin/env python3
"""The URLs of the project."""

from django.contrib import admin
from django.urls import include, path

from api import views

urlpatterns = [
    path("", include("vestibule.protect.django.views")),
    path("", views.home),
    path("admin/", admin.site.urls),
    path("notes", views.notes),
    path("api/notes", views.Notes.as_view()),
]
