terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "endpoint" {
  type = string
}

provider "aws" {
  region                      = "eu-west-1"
  s3_use_path_style           = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
  skip_credentials_validation = true

  endpoints {
    dynamodb = var.endpoint
    s3       = var.endpoint
    sts      = var.endpoint
  }
}

resource "aws_dynamodb_table" "bookings" {
  name             = "prod-bookings"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "guest"
  range_key        = "night"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "guest"
    type = "S"
  }

  attribute {
    name = "night"
    type = "N"
  }

  attribute {
    name = "room"
    type = "S"
  }

  global_secondary_index {
    name            = "by-room"
    hash_key        = "room"
    range_key       = "night"
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  tags = {
    team = "front-desk"
  }
}

resource "aws_s3_bucket" "invoices" {
  bucket        = "prod-invoices"
  force_destroy = true

  tags = {
    team = "billing"
  }
}

resource "aws_s3_bucket_versioning" "invoices" {
  bucket = aws_s3_bucket.invoices.id

  versioning_configuration {
    status = "Enabled"
  }
}
